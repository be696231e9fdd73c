"""`postern drift` and `postern status` about bridges that others have changed."""

from dataclasses import replace

import pytest

from common.exit_codes import ExitCode
from controller.drift.bridge_record import BridgeInterface, BridgeRecord
from controller.runtime.events import BridgesRead, BridgesUnread
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.runtime.test_bridges import GOOD, REPLACED

HOSTILE = "x\x1b[2J\nall is well"


@pytest.fixture
def bridges(controller: Northbound) -> Northbound:
    read(controller, GOOD)
    return controller


def read(controller: Northbound, *records: BridgeRecord) -> None:
    controller.world.runtime.on(BridgesRead(records))


def test_a_replaced_interface_is_shown_with_its_line_of_the_policy_and_accepted(
    postern: Postern, bridges: Northbound
) -> None:
    assert postern("drift").code == ExitCode.OK
    assert bridges.channel is not None
    bridges.world.report(bridges.channel, [bridges.channel.switch.add_port(11, "new")])
    read(bridges, REPLACED)
    answer = postern("drift")
    assert answer.code == ExitCode.FAILED
    assert "s1: changed port: port 11 is interface new, instead of interface p11 as port 11" in answer.out
    assert "(demo.yaml:" in answer.out
    assert "remedy: if this is right: postern drift --accept s1" in answer.out
    assert postern("status").code == ExitCode.FAILED
    assert postern("drift", "--accept", "s1", "--reason", "ticket 4711").code == ExitCode.OK
    assert postern("status").code == ExitCode.OK


def test_a_switch_that_has_no_bridge_here_cannot_be_accepted(postern: Postern, bridges: Northbound) -> None:
    answer = postern("drift", "--accept", "s9")
    assert answer.code == ExitCode.FAILED
    assert "no switch s9 is connected, and no bridge of this machine belongs to it" in answer.err


def test_a_hostile_name_of_an_interface_does_nothing_to_the_terminal(
    postern: Postern, bridges: Northbound
) -> None:
    read(bridges, replace(GOOD, interfaces=(*GOOD.interfaces, BridgeInterface(HOSTILE, 77))))
    answer = postern("drift")
    assert "which the policy does not use" in answer.out
    assert "\x1b[2J" not in answer.out
    assert not any(line.startswith("all is well") for line in answer.out.splitlines())


def test_bridges_that_are_not_watched_make_status_red_unless_that_is_turned_off(
    postern: Postern, bridges: Northbound
) -> None:
    bridges.world.runtime.on(BridgesUnread("db.sock: Permission denied"))
    answer = postern("status")
    assert answer.code == ExitCode.FAILED
    assert "of s1 are not watched: db.sock: Permission denied; remedy: name the socket" in answer.out
    bridges.world.runtime.on(BridgesUnread("POSTERN_SWITCH_DATABASE is off", is_wanted=False))
    answer = postern("status")
    assert answer.code == ExitCode.OK
    assert "of s1 are not watched: POSTERN_SWITCH_DATABASE is off" in answer.out
