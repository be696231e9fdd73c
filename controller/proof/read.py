"""Reads what a switch holds, as bytes, into neutral flows. What is not understood is read as "may": a
field that is not followed may match or not, an action that is not known may do anything, and a flow that
comes and goes with the health of members may be there or not.

The flows of decisions and learned flows are covered by form (see `forms`): they are checked here, and
left out.
"""

from functools import lru_cache

from controller.ids import is_numbered
from controller.pipeline.fields import CtState
from controller.pipeline.tables import Table
from controller.proof import dims, forms, oxm
from controller.proof.actions import read_actions, split_actions
from controller.proof.flows import (
    BitsCriterion,
    FieldCriterion,
    Goto,
    HeldFlows,
    NeutralFlow,
    Operation,
    Unknown,
)
from controller.sync.state import WireFlow, WireState

_GOTO, _WRITE_METADATA, _WRITE, _APPLY, _CLEAR, _METER = 1, 2, 3, 4, 5, 6
_BUCKET_HEAD = 16
_ALL_BUCKETS = 0  # OFPGT_ALL; of all other types a packet takes one
_OF_CONNECTION = (dims.CT_PROTO, dims.CT_DPORT)
_Matches = tuple[tuple[FieldCriterion | BitsCriterion, ...], bool]


def read_switch(state: WireState) -> HeldFlows:
    """Return the flows and groups of a switch in neutral form."""
    flows = [read_flow(flow) for flow in state.flows.values() if not _is_covered(flow)]
    flows += forms.any_decision(flow.key.table == Table.SUSPICION for flow in state.flows.values())
    groups = {number: read_buckets(group.buckets) for number, group in state.groups.items()}
    return HeldFlows(tuple(flows), groups, all_groups_of(state))


def all_groups_of(state: WireState) -> frozenset[int]:
    """Return the groups of a switch of which a packet takes all buckets."""
    return frozenset(number for number, group in state.groups.items() if group.kind == _ALL_BUCKETS)


def _is_covered(flow: WireFlow) -> bool:
    return is_numbered(flow.cookie) and forms.is_of_decision(flow)


def read_flow(flow: WireFlow) -> NeutralFlow:
    criteria, is_vague = _read_match(flow.key.fields)
    operations = _read_instructions(flow.instructions, flow.key.table)
    is_vague = is_vague or flow.key.table in forms.MAY_BE_ABSENT
    return NeutralFlow(flow.key.table, flow.key.priority, criteria, operations, flow.cookie, is_vague)


@lru_cache(maxsize=200_000)
def _read_match(fields: bytes) -> _Matches:
    criteria: list[FieldCriterion | BitsCriterion] = []
    is_vague = False
    try:
        for entry in oxm.entries(fields):
            found = oxm.criteria_of(entry)
            if found is None:
                is_vague = True
            else:
                criteria += found
    except oxm.Malformed:
        is_vague = True
    needs_new = any(isinstance(each, FieldCriterion) and each.dim in _OF_CONNECTION for each in criteria)
    if needs_new and not any(map(_is_new, criteria)):
        # These fields are the packet's own only while it has no connection; otherwise they are not followed.
        criteria = [each for each in criteria if each.dim not in _OF_CONNECTION]
        is_vague = True
    return tuple(dict.fromkeys(criteria)), is_vague


def _is_new(criterion: FieldCriterion | BitsCriterion) -> bool:
    is_state = isinstance(criterion, BitsCriterion) and criterion.dim == dims.CT_STATE
    return is_state and bool(criterion.value & CtState.NEW)


@lru_cache(maxsize=200_000)
def _read_instructions(body: bytes, table: int) -> tuple[Operation, ...]:
    operations: tuple[Operation, ...] = ()
    last: tuple[Operation, ...] = ()
    try:
        for each in split_actions(body):
            kind = int.from_bytes(each[:2])
            if kind == _GOTO:
                last = (Goto(each[4]),)
            elif kind == _APPLY:
                operations += read_actions(each[8:], table)
            elif kind not in (_METER, _WRITE_METADATA, _CLEAR):
                operations += (Unknown(f"instruction {kind}"),)
    except oxm.Malformed:
        operations += (Unknown("malformed instructions"),)
    return operations + last


def read_buckets(body: bytes) -> tuple[tuple[Operation, ...], ...]:
    """Return the operations of each bucket. Weights and watched ports do not matter: any may be chosen."""
    try:
        return tuple(read_actions(each[_BUCKET_HEAD:], -1) for each in split_buckets(body))
    except oxm.Malformed:
        return ((Unknown("malformed buckets"),),)


def split_buckets(body: bytes) -> list[bytes]:
    """Return the bytes of each bucket. Raise `oxm.Malformed`."""
    buckets: list[bytes] = []
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 2])
        if length < _BUCKET_HEAD or at + length > len(body):
            raise oxm.Malformed("a bucket with a wrong length")
        buckets.append(body[at : at + length])
        at += length
    return buckets
