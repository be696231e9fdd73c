"""The groups and meters that flows and groups name are read from their bytes."""

import pytest

from controller.openflow.encode import to_wire
from controller.openflow.uses import parts_named
from controller.pipeline.flows import Bucket, Clone, Flow, Group, GroupKind, Output, SwitchState, ToGroup
from controller.pipeline.tables import Table
from controller.sync.parts import Part, PartKind, parts_used
from controller.sync.state import WireFlow, WireGroup, WireKey

FIVE, SIX, SEVEN = (Part(PartKind.GROUP, number) for number in (5, 6, 7))
NINE = Part(PartKind.METER, 9)
FLOW = Flow(Table.ROUTE, 1, (), (Clone((ToGroup(5),)), ToGroup(6)), None, "a rule", meter=9)
ON = Group(6, (Bucket(0, (ToGroup(7),), watch_group=5),), "a rule", GroupKind.FAST_FAILOVER)
WIRE = to_wire(SwitchState({FLOW.key: FLOW}, {6: ON, 7: Group(7, (Bucket(1, (Output(1),)),), "a rule")}))


def test_a_flow_names_its_meter_and_its_groups_also_in_copies() -> None:
    (flow,) = WIRE.flows.values()
    assert parts_named(flow) == {FIVE, SIX, NINE}


def test_a_group_names_those_that_its_buckets_lead_to_or_watch() -> None:
    assert parts_named(WIRE.groups[6]) == {FIVE, SEVEN}
    assert parts_named(WIRE.groups[7]) == frozenset()


def test_groups_behind_groups_are_used_as_well_and_a_circle_ends() -> None:
    circle = {**WIRE.groups, 7: WireGroup(7, 1, WIRE.groups[6].buckets)}
    assert parts_used(WIRE.flows.values(), circle, parts_named) == {FIVE, SIX, SEVEN, NINE}


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_bytes_that_end_early_are_no_error(size: int) -> None:
    (flow,) = WIRE.flows.values()
    parts_named(WireFlow(WireKey(0, 0, b""), 0, flow.instructions[:size], b""))
    parts_named(WireGroup(1, 1, WIRE.groups[6].buckets[:size]))
