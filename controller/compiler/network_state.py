"""What is known about the network while a policy is compiled. By default, everything works."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.policy.model import Member, Pool, PortRef


@dataclass(frozen=True, slots=True)
class Conditions:
    """`shares`: weights of members, by path, that differ from the policy's; 0: no new sessions.

    `broken`: ends of trunks that are down, or do not lead where the policy says. `unready`: pools that
    take no new sessions for a temporary reason: all members are full, or none is proved healthy yet.
    """

    shares: Mapping[str, int] = field(default_factory=dict)
    broken: frozenset[PortRef] = frozenset()
    unready: frozenset[str] = frozenset()

    def share(self, pool: Pool, member: Member) -> int:
        """Return a member's share of the pool's new sessions; 0: it gets none."""
        return self.shares.get(f"pools.{pool.name}.members.{member.name}", member.weight)

    def takes(self, pool: Pool) -> bool:
        """Return whether any member takes new sessions."""
        return any(self.share(pool, member) for member in pool.members)


ALL_IS_WELL = Conditions()
