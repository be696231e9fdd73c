"""Which differences of settings a repair puts back, and which stay."""

from dataclasses import replace

import pytest

from controller.drift.bridge_record import BridgeRecord, LimitedTable
from controller.drift.bridge_repair import build_repair
from controller.drift.rehearsal import after_repair, after_reset, rehearse_bridge, rehearse_settings
from controller.drift.settings import SeenSwitch, build_reset
from controller.sync.outcomes import Fragments, Port, PortConfig, SwitchSettings, TableConfig
from tests.drift.test_bridges import GOOD, ONE, OTHER, OURS, PORTS, SFLOW, STANDALONE, TWO, watched

ALL_WRONG = replace(
    GOOD,
    dpid=7,
    wrong=(*STANDALONE, ("protocols", "every version")),
    datapath_type="netdev",
    controllers=(OTHER,),
    mirrors=("tap",),
    exports=(SFLOW,),
    limited_tables=(LimitedTable(3, "few", (("flow_limit", "7"),)),),
    interfaces=(replace(ONE, settings=(("tag", "7"),)), replace(TWO, kind="patch", number=0)),
)


def said(now: BridgeRecord, good: BridgeRecord = GOOD) -> tuple[list[str], list[str]]:
    """Return what is put back, and what stays."""
    found = rehearse_bridge(watched(now, good=good))
    return [str(each) for each in found.put_back], [str(each) for each in found.staying]


def test_all_that_a_repair_names_is_put_back_and_nothing_is_left_to_repair() -> None:
    put_back, staying = said(ALL_WRONG)
    assert (len(put_back), staying) == (11, [])
    assert build_repair(after_repair(watched(ALL_WRONG))) == ()


@pytest.mark.parametrize(
    ("now", "good"),
    [
        (replace(GOOD, controllers=(OURS, OTHER)), replace(GOOD, unaccepted=(f"controller {OTHER}",))),
        (replace(GOOD, exports=(SFLOW,)), replace(GOOD, unaccepted=(str(SFLOW),))),
        (replace(GOOD, managers=("ptcp:6640",)), GOOD),
        (replace(GOOD, interfaces=(ONE,)), GOOD),
        (replace(GOOD, interfaces=(ONE, replace(TWO, name="new"))), GOOD),
        (replace(GOOD, row="b9", dpid=9, wrong=STANDALONE), GOOD),
    ],
)
def test_what_an_operator_has_to_decide_stays(now: BridgeRecord, good: BridgeRecord) -> None:
    put_back, staying = said(now, good)
    assert (put_back, len(staying)) == ([], 1)


def test_the_queues_that_a_port_had_before_are_not_promised() -> None:
    queues = (("tag", "7"), ("qos", "queues-1"))
    good = replace(GOOD, interfaces=(ONE, replace(TWO, settings=queues)))
    assert said(GOOD, good) == (
        ["changed port: port 2, interface eth2, has no tag, instead of tag=7"],
        ["changed port: port 2, interface eth2, has no qos, instead of qos=queues-1"],
    )


def test_a_bridge_that_is_gone_stays_gone() -> None:
    found = rehearse_bridge(watched())
    assert [str(each) for each in found.staying] == ["missing bridge: s1"]


def test_over_openflow_a_port_stays_down_and_everything_else_is_put_back() -> None:
    config = PortConfig.DOWN | PortConfig.NO_FORWARD
    seen = SeenSwitch(
        "s1",
        PORTS,
        {1: Port(1, "02:00:00:00:00:01", "eth1", True, config)},
        {2: "eth2"},
        SwitchSettings(Fragments.DROP, 128, {0: TableConfig.EVICTION}),
    )
    found = rehearse_settings(seen)
    assert [str(each) for each in found.put_back] == [
        "changed setting: fragments are drop, instead of normal",
        "changed setting: table 0: evict, instead of noevict",
        "changed port: port 1 (eth1) is set to no-forward, instead of forward",
    ]
    assert [str(each) for each in found.staying] == [
        "changed port: port 1 (eth1) was taken down by a command, instead of up",
        "missing port: interface eth2 as port 2, for host2",
    ]
    assert build_reset(after_reset(seen)).is_empty
