"""What decisions and allowances have on the switches, and how a policy changes it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controller.compiler.decisions import Enforcement
from controller.policy.model import Network
from controller.suspicion.decision import Decision, Scope
from controller.suspicion.refusals import Guard
from controller.sync.overlay import Patch
from controller.sync.state import WireKey


@dataclass(frozen=True, slots=True)
class Enforced:
    """The flows and meters of one decision or allowance, by switch."""

    keys: Mapping[str, tuple[WireKey, ...]] = field(default_factory=dict)
    meters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlowChange:
    """How the flows of one decision or allowance change, by switch."""

    what: Scope | Network
    patches: Mapping[str, Patch]
    enforced: Enforced


@dataclass(frozen=True, slots=True)
class DecisionProspect:
    """What a policy would do to decisions and allowances: what it forbids, and which flows change."""

    guard: Guard
    enforcement: Enforcement
    withdrawn: tuple[Decision, ...]
    changes: tuple[FlowChange, ...]

    @property
    def patches(self) -> Mapping[str, Sequence[Patch]]:
        """Return the changes by the name of the switch, in the order in which they are made."""
        found: dict[str, list[Patch]] = defaultdict(list)
        for change in self.changes:
            for switch, patch in change.patches.items():
                found[switch].append(patch)
        return found
