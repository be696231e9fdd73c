"""What a proof is about, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.policy.model import Policy
from controller.proof.arrivals import Arrivals
from controller.proof.earlier import Earlier
from controller.sync.state import WireState


class Claim(StrEnum):
    """What is proved. A violation names the claim that it breaks."""

    PORT_25 = "port-25"  # only a gateway that serves a tenant reaches its port 25
    OTHER_TENANT = "other-tenant"  # a tenant reaches only what another one publishes
    UNPUBLISHED = "unpublished"  # the backbone reaches only what a tenant publishes
    POOL_HOST = "pool-host"  # no neighbour reaches a pool's host, except for the work of its pool
    FOREIGN_SESSION = "foreign-session"  # a pool's host speaks only in sessions of its own
    ANSWERS_ONLY = "answers-only"  # responders, decoys and anti-virus servers begin nothing
    TRANSIT = "transit"  # the backbone does not reach itself through the edge
    ANYWHERE = "anywhere"  # no flow does something whose effect the proof does not know
    HELD_FRAGMENTS = "held-fragments"  # no packet leaves after a commit: held fragments could leave with it
    UNKNOWN_PORT = "unknown-port"  # nothing leaves by a port that the policy does not name
    LOOP = "loop"  # no packet loops


@dataclass(frozen=True, slots=True)
class NetworkState:
    """A policy, and what its switches hold; `switches` by name, as read from them."""

    policy: Policy
    switches: Mapping[str, WireState]
    conditions: Conditions = ALL_IS_WELL


@dataclass(frozen=True, slots=True)
class FlowStep:
    """A flow that a packet met. `rule`: the policy's path, or "" for a flow that is not ours."""

    switch: str
    table: str
    priority: int
    cookie: int
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Violation:
    """Packets that arrive although a claim says that they do not, shown by one of them.

    `sender` and `receiver` are paths of neighbours in the policy, or a port (`s1:7`). `opener` is the packet
    that began the session; "" if none is needed. `is_confirmed`: a replay of both packets arrived; otherwise
    the violation is only possible.
    """

    claim: Claim
    sender: str
    receiver: str
    packet: str
    opener: str = ""
    flows: tuple[FlowStep, ...] = ()
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a network that an edit touches: the tenants whose flows, rules or conditions changed."""

    tenants: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Proof:
    """`flows`: how many were looked at. `connections`: those that may be open, for `prove(earlier=...)`.

    `is_complete`: the proof did not stop early. Otherwise, claims without a violation are not decided.
    """

    seconds: float
    flows: int
    violations: tuple[Violation, ...]
    arrivals: Arrivals = field(repr=False, compare=False)
    connections: Earlier = field(repr=False, compare=False)
    is_complete: bool = True

    @property
    def is_proved(self) -> bool:
        return not self.violations
