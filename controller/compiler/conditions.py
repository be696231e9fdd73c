"""What is known of the world while a policy is compiled. Nothing known: all is well."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.policy.model import PortRef


@dataclass(frozen=True, slots=True)
class Conditions:
    """`shares`: weight of members, by path, that do not have the policy's; 0: no new sessions.

    `broken`: ends of trunks that are down, or lead elsewhere than the policy says.
    """

    shares: Mapping[str, int] = field(default_factory=dict)
    broken: frozenset[PortRef] = frozenset()


ALL_IS_WELL = Conditions()
