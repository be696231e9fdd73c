"""Which differences a proof over flows cannot see, although packets can."""

from dataclasses import replace

import pytest

from controller.drift.assumptions import is_against_proof
from controller.drift.bridge_record import BridgeRecord
from controller.drift.model import Difference, DriftChange, DriftKind
from controller.drift.settings import SeenSwitch, compare
from controller.sync.outcomes import Fragments, Port, PortConfig, SwitchSettings, TableConfig
from tests.drift.test_bridges import GOOD, ONE, OTHER, OURS, PORTS, STANDALONE, TWO, only


@pytest.mark.parametrize(
    "now",
    [
        replace(GOOD, wrong=STANDALONE),
        replace(GOOD, wrong=(("other_config:disable-in-band", "false"),)),
        replace(GOOD, wrong=(("protocols", "every version"),)),
        replace(GOOD, mirrors=("tap",)),
        replace(GOOD, datapath_type="netdev"),
        replace(GOOD, interfaces=(ONE, replace(TWO, name="new"))),
    ],
)
def test_a_bridge_that_forwards_by_other_rules_than_its_flows_counts(now: BridgeRecord) -> None:
    assert is_against_proof(only(now))


@pytest.mark.parametrize(
    "now",
    [
        replace(GOOD, controllers=(OURS, OTHER)),
        replace(GOOD, managers=("ptcp:6640",)),
        replace(GOOD, interfaces=(ONE,)),
        replace(GOOD, interfaces=(ONE, replace(TWO, settings=(("tag", "7"),)))),
        replace(GOOD, interfaces=(ONE, TWO, replace(TWO, name="spy", number=77))),
    ],
)
def test_a_bridge_that_does_what_its_flows_say_does_not_count(now: BridgeRecord) -> None:
    assert not is_against_proof(only(now))


def test_of_what_openflow_shows_settings_of_the_switch_count_and_those_of_ports_do_not() -> None:
    config = PortConfig.DOWN | PortConfig.NO_FORWARD
    settings = SwitchSettings(Fragments.REASSEMBLE, 128, {0: TableConfig.EVICTION})
    port = Port(1, "02:00:00:00:00:01", "eth1", True, config)
    found = compare(SeenSwitch("s1", PORTS, {1: port}, {}, settings))
    assert {each.key: is_against_proof(each) for each in found} == {
        "fragments": True,
        "tables evict": True,
        "port 1 settings": False,
        "port 1 down": False,
        "port 2": False,
    }


def test_foreign_flows_do_not_count_because_they_are_proved() -> None:
    assert not is_against_proof(
        Difference("s1", DriftKind.FLOW, DriftChange.FOREIGN, "0 1", "NORMAL", "", "")
    )
