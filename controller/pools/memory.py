"""What is remembered of members and ports across a restart, so that the first plan is not a guess. Pure.

Only what keeps a member from new sessions is remembered: all others are trusted, as at the first start.
What is remembered may be outdated: it never opens a bypass and never has mail refused (`Roster.unready`).
"""

from dataclasses import dataclass
from typing import Annotated

from common.wire.codec import Versioned
from common.wire.health import CheckKind
from common.wire.values import AtMost, Detail, Range
from controller.policy.model import PortRef
from controller.pools.health import Opinion

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class RememberedMember:
    """`path`: of the member in the policy. `falls`, `hold_s`: its damping while it is held down."""

    path: str
    opinion: Opinion = Opinion.GOOD
    detail: Detail = ""
    failed: Annotated[tuple[CheckKind, ...], AtMost(len(CheckKind))] = ()
    stale: Detail = ""
    is_full: bool = False
    falls: int = 0
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RememberedPort:
    switch: str
    port: Annotated[int, Range(1, 0xFFFF_FFFF)]


@dataclass(frozen=True, slots=True)
class RememberedNetwork(Versioned):
    """`ports`: down or missing. `trunks`: ends of trunks that do not lead where the policy says."""

    members: Annotated[tuple[RememberedMember, ...], AtMost(_MOST)] = ()
    ports: Annotated[tuple[RememberedPort, ...], AtMost(_MOST)] = ()
    trunks: Annotated[tuple[RememberedPort, ...], AtMost(_MOST)] = ()

    @property
    def ports_down(self) -> frozenset[PortRef]:
        return frozenset(PortRef(each.switch, each.port) for each in self.ports)

    @property
    def broken_trunks(self) -> frozenset[PortRef]:
        return frozenset(PortRef(each.switch, each.port) for each in self.trunks)
