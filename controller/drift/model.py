"""One difference between what a switch holds and what it should hold, in words. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class DriftKind(StrEnum):
    """What a difference is about, the gravest first."""

    MIRROR = "mirror"  # whatever shows packets to others: a mirror, or samples for a collector
    BRIDGE = "bridge"
    FAIL_MODE = "fail mode"
    CONTROLLER = "controller"
    SETTING = "setting"  # of a switch as a whole, for example what it does with fragments
    FLOW = "flow"
    GROUP = "group"
    METER = "meter"
    PORT = "port"


class DriftChange(StrEnum):
    """What has happened, the gravest first: what is foreign may lead packets where no rule leads them."""

    FOREIGN = "foreign"
    CHANGED = "changed"
    MISSING = "missing"


OF_TABLES = frozenset({DriftKind.FLOW, DriftKind.GROUP, DriftKind.METER})  # seen over OpenFlow
OF_SETTINGS = frozenset({DriftKind.SETTING, DriftKind.PORT})  # seen over OpenFlow, too
OF_BRIDGES = frozenset(DriftKind) - OF_TABLES - {DriftKind.SETTING}  # seen in Open vSwitch's database

_KINDS = tuple(DriftKind)
_CHANGES = tuple(DriftChange)


@dataclass(frozen=True, slots=True)
class Difference:
    """`key`: the same for the same thing at each observation, and unique within a switch.

    `text`: what is there now, in words; "" if it is missing. `wanted`: what should be there; "" if it is
    foreign. `rule`: the path in the policy to which it belongs; "" if it is foreign. `remedy`: what to do if
    Postern does not repair it; "" if it always does. `may_be_meant`: an operator may have done it on purpose,
    and the switch counts as confirmed all the same.
    """

    switch: str
    kind: DriftKind
    change: DriftChange
    key: str
    text: str
    wanted: str
    rule: str
    remedy: str = ""
    may_be_meant: bool = False

    @property
    def rank(self) -> tuple[int, int, str, str]:
        """Return what sorts the gravest difference first."""
        return *self.gravity, self.switch, self.key

    @property
    def gravity(self) -> tuple[int, int]:
        """Return what is less for a graver kind of difference."""
        return _CHANGES.index(self.change), _KINDS.index(self.kind)

    def __str__(self) -> str:
        match self.change:
            case DriftChange.FOREIGN:
                return f"foreign {self.kind}: {self.text}"
            case DriftChange.MISSING:
                return f"missing {self.kind}: {self.wanted}"
            case DriftChange.CHANGED:
                return f"changed {self.kind}: {self.text}, instead of {self.wanted}"
