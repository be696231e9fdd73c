"""What the engine finds on its way, for sessions and claims."""

from collections import defaultdict
from dataclasses import dataclass, field

from controller.proof import flows as f
from controller.proof.dims import Box
from controller.proof.flows import NeutralFlow, Track


@dataclass(frozen=True, slots=True)
class LookUp:
    """A place where connections are looked up: where packets go on, and how addresses are translated."""

    switch: str
    zone: int
    then: int
    translation: f.Translation | None


@dataclass(frozen=True, slots=True)
class Leak:
    """A packet met an operation whose effect is not known."""

    switch: str
    flow: NeutralFlow
    what: str
    box: Box


@dataclass(slots=True)
class Found:
    """What the engine has found: boxes at ports, look-ups and commits of connections, and leaks."""

    arrivals: dict[tuple[str, int], list[Box]] = field(default_factory=lambda: defaultdict(list))
    lookups: dict[LookUp, dict[Box, None]] = field(default_factory=lambda: defaultdict(dict))
    commits: dict[int, dict[tuple[Box, Track], None]] = field(default_factory=lambda: defaultdict(dict))
    leaks: list[Leak] = field(default_factory=list)
    held: list[Leak] = field(default_factory=list)  # where fragments that conntrack holds would leave, too
    behind_ct: dict[tuple[str, int], None] = field(default_factory=dict)  # tables that a ct() leads to
    taught: dict[str, dict[NeutralFlow, None]] = field(default_factory=lambda: defaultdict(dict))
