"""States that need no proof of their own, because everything that they let through was already proved. Pure.

The proof takes any bucket of a group, ignores rates, and assumes that any decision may be there, and that any
flow that keeps clients at their member may be missing. So a state whose flows are those of a proved state,
with fewer buckets, other weights, other meters, other decisions, and fewer such flows, lets nothing through
that the proved state does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.proof.forms import MAY_BE_ABSENT, is_of_decision
from controller.proof.oxm import Malformed
from controller.proof.read import read_buckets, split_buckets
from controller.sync.state import WireFlow, WireGroup, WireKey, WireState


def is_covered(wanted: WireState, proved: WireState) -> bool:
    """Return whether the proof of `proved`, of the same switch, holds for `wanted` as well."""
    return _are_flows_covered(wanted, proved) and all(
        _is_group_covered(group, proved.groups.get(number)) for number, group in wanted.groups.items()
    )


def are_covered(wanted: Mapping[str, WireState], proved: Mapping[str, WireState]) -> bool:
    """Return whether the proof of some switches holds for another state of the same switches."""
    return wanted.keys() == proved.keys() and all(
        is_covered(state, proved[name]) for name, state in wanted.items()
    )


@dataclass(frozen=True, slots=True)
class PoolGroups:
    """The numbers of the groups of a policy's pools, and of single members."""

    pools: frozenset[int]
    members: frozenset[int]


def covered_part(sent: WireState, wanted: WireState, proved: WireState, numbers: PoolGroups) -> WireState:
    """Return `sent` after those changes on the way to `wanted` that need no proof; `proved` covers `sent`.

    These are members of pools that get no new sessions any more, or get them again. `sent` itself is returned
    if there is no such change.
    """
    groups = dict(sent.groups)
    for number in numbers.pools | numbers.members:
        group, known = wanted.groups.get(number), proved.groups.get(number)
        if group is not None and known is not None and (kept := _proved_buckets(group, known)):
            groups[number] = replace(group, buckets=kept)
    flows, learned = sent.flows, sent.learned
    if all(number in wanted.groups for number in numbers.pools & sent.groups.keys()):
        # Otherwise clients would be kept from a pool that mail is still sent to.
        flows, learned = _with_proved_keepers(sent, wanted, proved), wanted.learned
    if flows == sent.flows and groups == sent.groups:
        return sent
    return replace(sent, flows=flows, groups=groups, learned=learned)


def _with_proved_keepers(sent: WireState, wanted: WireState, proved: WireState) -> dict[WireKey, WireFlow]:
    keepers = {
        key: flow
        for key, flow in wanted.flows.items()
        if key.table in MAY_BE_ABSENT and proved.flows.get(key) == flow
    }
    return {key: flow for key, flow in sent.flows.items() if key.table not in MAY_BE_ABSENT} | keepers


def _proved_buckets(group: WireGroup, proved: WireGroup) -> bytes:
    """Return the bucket bytes of a group that a proved one has as well, with other weights perhaps."""
    known = set(read_buckets(proved.buckets))
    try:
        return b"".join(each for each in split_buckets(group.buckets) if set(read_buckets(each)) <= known)
    except Malformed:
        return b""


def _are_flows_covered(wanted: WireState, proved: WireState) -> bool:
    if wanted.flows is proved.flows:
        return True
    return all(
        flow is (known := proved.flows.get(key))
        or flow == known
        or is_of_decision(flow)
        or _has_other_meter_only(flow, proved.flows)
        for key, flow in wanted.flows.items()
    ) and all(_may_be_absent(flow) for key, flow in proved.flows.items() if key not in wanted.flows)


def _may_be_absent(flow: WireFlow) -> bool:
    return flow.key.table in MAY_BE_ABSENT or is_of_decision(flow)


def _has_other_meter_only(flow: WireFlow, proved: Mapping[WireKey, WireFlow]) -> bool:
    other = proved.get(flow.key)
    return other is not None and _without_meter(flow) == _without_meter(other)


def _without_meter(flow: WireFlow) -> bytes:
    is_metered = flow.instructions[:4] == _METER_HEAD
    return flow.instructions[8:] if is_metered else flow.instructions


def _is_group_covered(group: WireGroup, proved: WireGroup | None) -> bool:
    if proved is None:
        return False
    return group == proved or set(read_buckets(group.buckets)) <= set(read_buckets(proved.buckets))


_METER_HEAD = bytes.fromhex("00060008")
