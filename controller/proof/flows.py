"""Installed flows in neutral form: criteria on dimensions, and operations. Pure values, made by `read`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.proof.atoms import Prefix

IP_BITS = 131  # three bits for the version, then the address; an IPv4 address is followed by zeros


def ip_prefix(version: int, address: int, length: int) -> Prefix:
    """Return an address prefix in the common space of both versions."""
    shift = 96 if version == 4 else 0
    return version << 128 | address << shift, 3 + length


@dataclass(frozen=True, slots=True)
class FieldCriterion:
    """A dimension must have a value; `length`: only its first bits must be equal."""

    dim: int
    value: int
    length: int


@dataclass(frozen=True, slots=True)
class BitsCriterion:
    """A dimension of flags, which has an atom for each value, must have these bits under a mask."""

    dim: int
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class SetTo:
    dim: int
    value: int


@dataclass(frozen=True, slots=True)
class Forget:
    """A dimension gets a value that the proof does not follow."""

    dim: int


@dataclass(frozen=True, slots=True)
class Copy:
    """Dimension `to` gets the value of `of`; both have the same domain."""

    of: int
    to: int


@dataclass(frozen=True, slots=True)
class Send:
    """Out of a port, by its OpenFlow number."""

    port: int


@dataclass(frozen=True, slots=True)
class SendBack:
    pass


@dataclass(frozen=True, slots=True)
class SendAll:
    """Out of any port, as NORMAL, FLOOD and ALL may do."""


@dataclass(frozen=True, slots=True)
class VisitGroup:
    group_id: int


@dataclass(frozen=True, slots=True)
class Visit:
    """Look the packet up in a table, and go on with what it has become (resubmit)."""

    table: int


@dataclass(frozen=True, slots=True)
class Goto:
    table: int


@dataclass(frozen=True, slots=True)
class AddTag:
    pass


@dataclass(frozen=True, slots=True)
class RemoveTag:
    pass


@dataclass(frozen=True, slots=True)
class Untrack:
    """Forget what the last look-up of the connection found."""


@dataclass(frozen=True, slots=True)
class HalfLabel:
    """What a commit writes into one half of a label: a copy, a value, or (neither) anything."""

    of: int | None = None
    value: int | None = None


NO_LABEL = HalfLabel(value=0)


@dataclass(frozen=True, slots=True)
class Translation:
    """`source`: a commit translates the source to this address; None: as the connection says.

    `is_known` is false if the proof does not know how addresses change.
    """

    source: Prefix | None = None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Track:
    """`ct()`: look a connection up in a zone, perhaps commit it, and perhaps go on in a table."""

    zone: int
    then: int | None
    commits: bool = False
    responder: HalfLabel = NO_LABEL
    initiator: HalfLabel = NO_LABEL
    translation: Translation | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """Operations on a copy of the packet."""

    operations: "tuple[Operation, ...]"


@dataclass(frozen=True, slots=True)
class Teach:
    """The switch may add a flow: in a table, for packets with these criteria.

    `sends_back`: the flow sends packets out of the port by which the teaching one came. `copies`: its
    criteria that are values of the teaching packet, as pairs of dimensions (in the flow, in that packet).
    """

    table: int
    criteria: tuple[FieldCriterion, ...]
    operations: "tuple[Operation, ...]"
    sends_back: bool = False
    copies: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something whose effect the proof does not know: the packet may go anywhere."""

    what: str


Operation = (
    SetTo | Forget | Copy | Send | SendBack | SendAll | VisitGroup | Visit | Goto | AddTag | RemoveTag
    | Untrack | Track | Fork | Teach | Unknown
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NeutralFlow:
    """A flow of one table. `is_vague`: it has criteria that are not followed: it may match, or may not."""

    table: int
    priority: int
    criteria: tuple[FieldCriterion | BitsCriterion, ...]
    operations: tuple[Operation, ...]
    cookie: int = 0
    is_vague: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class HeldFlows:
    """What a switch holds; a group is a tuple of buckets, each a tuple of operations.

    A packet takes one bucket of a group, and all buckets, one after the other, of `all_groups`.
    """

    flows: tuple[NeutralFlow, ...] = ()
    groups: Mapping[int, tuple[tuple[Operation, ...], ...]] = field(default_factory=dict)
    all_groups: frozenset[int] = frozenset()


_MAY_LEAVE = (Send, SendBack, SendAll, VisitGroup, Visit, Goto, Fork, Track, Unknown)


def may_leave(operations: tuple[Operation, ...]) -> bool:
    """Return whether a packet may leave by some operations, at once or later."""
    return any(isinstance(each, _MAY_LEAVE) for each in operations)


def is_copied(operation: Operation) -> bool:
    """Return whether a switch carries an operation out on a copy: only then does nothing follow its ct()."""
    return isinstance(operation, Fork) and any(isinstance(each, Track) for each in operation.operations)


def with_learned(
    by_table: dict[tuple[str, int], list[NeutralFlow]],
) -> dict[tuple[str, int], list[NeutralFlow]]:
    """Add, by switch and table, what the switches may learn: flows that may be there."""
    for (name, _), flows in list(by_table.items()):
        for flow in list(flows):
            for each in flow.operations:
                if isinstance(each, Teach) and not each.sends_back:
                    learned = NeutralFlow(
                        each.table, 0x10000, each.criteria, each.operations, flow.cookie, True, "learned"
                    )
                    by_table[name, each.table].append(learned)
    return by_table
