"""How a question crosses to the proving process: in pieces, each made within a few milliseconds.

The process keeps the last question, so only what differs from it crosses: tenants, flows, and the rest of
each switch. Flows cross as plain tuples by `marshal`, which is 20 times faster than pickled objects; the
policy crosses by `pickle`. Only the controller's own process writes what is decoded here.
"""

import marshal
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from controller.policy.model import Policy, Tenant
from controller.proof.model import NetworkState
from controller.prover.frames import FrameError, FrameKind, encode_frame
from controller.prover.question import Asking, Purpose, Question
from controller.sync.identity import changes
from controller.sync.state import WireFlow, WireGroup, WireKey, WireLearned, WireMeter, WireState

_FLOWS_PER_PIECE = 500
_FLOWS_LOOKED_AT = 5_000  # without giving way
_TENANTS_PER_PIECE = 50
_NOTHING = b""  # a piece without bytes: only an occasion to give way
_FlowTuple = tuple[int, int, bytes, int, bytes, bytes]
_LearnedTuple = tuple[int, int, bytes, int, int, bytes, int, bytes]


def pieces_of(question: Question, known: Question | None = None) -> Iterator[bytes]:
    """Yield the frames of a question; some are empty. `known`: the question that the process got before."""
    if known is None or question.policy is not known.policy:
        yield from _policy_pieces(question.policy, known.policy.tenants if known else ())
    for name, state in question.switches.items():
        held = known.switches.get(name) if known else None
        if state is not held:
            yield from _switch_pieces(name, state, held)
    about = pickle.dumps(question.conditions)
    asking = (question.number, question.purpose.value, question.revision, about, list(question.switches))
    yield encode_frame(FrameKind.ASK, marshal.dumps(asking))


def _policy_pieces(policy: Policy, known: Iterable[Tenant]) -> Iterator[bytes]:
    head = replace(policy, tenants=(), places={})  # the places of rules are looked up by the controller
    names = [tenant.name for tenant in policy.tenants]
    yield encode_frame(FrameKind.POLICY, pickle.dumps((head, names)))
    before = {tenant.name: tenant for tenant in known}
    for some in _in_pieces(policy.tenants, _TENANTS_PER_PIECE):
        changed = [tenant for tenant in some if before.get(tenant.name) != tenant]
        yield encode_frame(FrameKind.TENANTS, pickle.dumps(changed)) if changed else _NOTHING


def _switch_pieces(name: str, state: WireState, known: WireState | None) -> Iterator[bytes]:
    yield encode_frame(FrameKind.SWITCH, marshal.dumps((name, known is None)))
    yield from _flow_pieces(name, state.flows, known.flows if known else {})
    groups = [(each.group_id, int(each.kind), each.buckets) for each in state.groups.values()]
    meters = [(each.meter_id, each.body) for each in state.meters.values()]
    learned = [_learned_tuple(each) for each in state.learned]
    yield encode_frame(FrameKind.REST, marshal.dumps((name, groups, meters, learned)))


def _flow_pieces(
    name: str, flows: Mapping[WireKey, WireFlow], known: Mapping[WireKey, WireFlow]
) -> Iterator[bytes]:
    """Yield what has changed: first all that is gone, then all that has come."""
    gone: list[WireFlow] = []
    come: list[WireFlow] = []
    for less, more in changes(known, flows):
        gone += less
        come += more
        yield _NOTHING
    for some in _in_pieces(gone, _FLOWS_LOOKED_AT):
        keys = [flow.key for flow in some if flow.key not in flows]
        lost = [(key.table, key.priority, key.fields) for key in keys]
        yield encode_frame(FrameKind.GONE, marshal.dumps((name, lost))) if lost else _NOTHING
    for some in _in_pieces(come, _FLOWS_LOOKED_AT):
        changed = [flow for flow in some if known.get(flow.key) != flow]
        yield _NOTHING
        for part in _in_pieces(changed, _FLOWS_PER_PIECE):
            yield encode_frame(FrameKind.FLOWS, marshal.dumps((name, [_flow_tuple(flow) for flow in part])))


def _flow_tuple(flow: WireFlow) -> _FlowTuple:
    key = flow.key
    return (key.table, key.priority, key.fields, flow.cookie, flow.instructions, flow.wire_fields)


def _learned_tuple(kind: WireLearned) -> _LearnedTuple:
    match = kind.before, kind.value_bytes, kind.after
    return (int(kind.table), kind.cookie, kind.instructions, kind.priority, kind.expires, *match)


def _in_pieces(things: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    remaining = iter(things)
    while some := tuple(islice(remaining, size)):
        yield some


@dataclass(slots=True)
class _SwitchParts:
    flows: dict[WireKey, WireFlow] = field(default_factory=dict)
    groups: dict[int, WireGroup] = field(default_factory=dict)
    meters: dict[int, WireMeter] = field(default_factory=dict)
    learned: frozenset[WireLearned] = frozenset()


class QuestionReader:
    """Puts the pieces of questions together, in the proving process. What has not changed is one object."""

    def __init__(self) -> None:
        self._policy: Policy | None = None
        self._order: list[str] | None = None  # of the tenants of a new policy
        self._tenants: dict[str, Tenant] = {}
        self._parts: dict[str, _SwitchParts] = {}
        self._switches: dict[str, WireState] = {}

    def take(self, kind: FrameKind, body: bytes) -> tuple[Asking, NetworkState] | None:
        """Return the question with its last piece. Raise `FrameError`."""
        match kind:
            case FrameKind.POLICY:
                self._policy, self._order = pickle.loads(body)
            case FrameKind.TENANTS:
                self._tenants |= {tenant.name: tenant for tenant in pickle.loads(body)}
            case FrameKind.SWITCH:
                self._begin(*marshal.loads(body))
            case FrameKind.GONE:
                name, keys = marshal.loads(body)
                flows = self._part(name).flows
                for key in keys:
                    flows.pop(WireKey(*key), None)
            case FrameKind.FLOWS:
                name, changed = marshal.loads(body)
                self._part(name).flows.update(map(_keyed, changed))
            case FrameKind.REST:
                self._take_rest(*marshal.loads(body))
            case FrameKind.ASK:
                return self._asked(*marshal.loads(body))
            case _:
                raise FrameError(f"a frame of kind {kind.name} is not part of a question")
        return None

    def _begin(self, name: str, is_whole: bool) -> None:
        held = None if is_whole else self._switches.get(name)
        self._parts[name] = _SwitchParts(dict(held.flows) if held else {})

    def _part(self, name: str) -> _SwitchParts:
        if (part := self._parts.get(name)) is None:
            raise FrameError(f"flows of {name}, which was not begun")
        return part

    def _take_rest(self, name: str, groups: Any, meters: Any, learned: Any) -> None:
        part = self._part(name)
        part.groups = {each[0]: WireGroup(*each) for each in groups}
        part.meters = {each[0]: WireMeter(*each) for each in meters}
        part.learned = frozenset(WireLearned(*each) for each in learned)

    def _asked(
        self, number: int, purpose: str, revision: int, conditions: bytes, names: list[str]
    ) -> tuple[Asking, NetworkState]:
        held = self._switches | {
            name: WireState(part.flows, part.groups, part.learned, part.meters)
            for name, part in self._parts.items()
        }
        self._parts = {}
        try:
            self._switches = {name: held[name] for name in names}
            if self._order is not None:
                self._tenants = {name: self._tenants[name] for name in self._order}
        except KeyError as missing:
            raise FrameError(f"a question without its pieces: {missing}") from None
        if self._policy is None:
            raise FrameError("a question without a policy")
        if self._order is not None:
            self._policy, self._order = replace(self._policy, tenants=tuple(self._tenants.values())), None
        network = NetworkState(self._policy, self._switches, pickle.loads(conditions))
        return Asking(number, Purpose(purpose), revision), network


def _keyed(flow: _FlowTuple) -> tuple[WireKey, WireFlow]:
    table, priority, fields, cookie, instructions, wire_fields = flow
    key = WireKey(table, priority, fields)
    return key, WireFlow(key, cookie, instructions, wire_fields)
