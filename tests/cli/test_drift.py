"""`postern drift`: what is open, where it belongs, what was repaired; and what `postern status` says then."""

import json
import re

import pytest

from common.exit_codes import ExitCode
from controller.api.client import ApiClient
from controller.reports.drift import drift
from controller.runtime.events import BridgesUnread
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.runtime.test_drift import FOREIGN, REPORT
from tests.world import FakeChannel


def test_an_edge_without_drift_says_so_with_code_0(postern: Postern, controller: Northbound) -> None:
    answer = postern("drift")
    assert (answer.code, answer.err) == (ExitCode.OK, "")
    assert answer.out.splitlines()[:2] == ["no drift; drift: repair", "  s1 is monitored"]


def channel_of(controller: Northbound) -> FakeChannel:
    assert controller.channel is not None
    return controller.channel


def by_hand(controller: Northbound) -> None:
    channel = channel_of(controller)
    controller.world.report(channel, channel.switch.change(FOREIGN))


def drifted(controller: Northbound) -> None:
    controller.world.apply(REPORT)
    controller.world.settle(channel_of(controller))
    by_hand(controller)


def test_a_switch_that_is_away_is_not_called_free_of_drift(postern: Postern, controller: Northbound) -> None:
    controller.world.disconnect(1, channel_of(controller))
    answer = postern("drift")
    assert answer.code == ExitCode.FAILED
    first, second = answer.out.splitlines()
    assert first == "no drift found, but 1 of 1 switches cannot be seen now; drift: repair"
    assert second.startswith("  ! s1: not connected: what it holds is not known; remedy: on its host, check")


@pytest.mark.parametrize("command", ["drift", "status"])
def test_a_silent_switch_is_named_with_code_1(postern: Postern, controller: Northbound, command: str) -> None:
    for _ in range(6):
        controller.world.tick(0.5)
    answer = postern(command)
    assert answer.code == ExitCode.FAILED
    assert "no answer for 2 s: what it holds is not known; remedy: " in answer.out


def test_a_bridge_that_is_not_to_be_watched_is_named_and_is_no_error(
    postern: Postern, controller: Northbound
) -> None:
    controller.world.on(BridgesUnread("POSTERN_SWITCH_DATABASE is off", is_wanted=False))
    answer = postern("drift")
    assert answer.code == ExitCode.OK
    line = "controllers, fail mode and interfaces of s1 are not watched: POSTERN_SWITCH_DATABASE is off"
    assert answer.out.splitlines()[2] == f"  {line}"
    (row,) = json.loads(postern("drift", "--json").out)["switches"]
    assert (row["unwatched"], row["is_blind"], row["unknown"]) == (line, False, "")


def test_a_database_that_cannot_be_read_is_an_error(postern: Postern, controller: Northbound) -> None:
    controller.world.on(BridgesUnread("db.sock: no such file", is_wanted=True))
    answer = postern("drift")
    assert answer.code == ExitCode.FAILED
    assert "  ! controllers, fail mode and interfaces of s1 are not watched: db.sock: no such" in answer.out


def test_an_edge_without_a_policy_is_not_called_free_of_drift(
    postern: Postern, controller: Northbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApiClient, "get", lambda *_: drift(None))
    answer = postern("drift")
    assert answer.code == ExitCode.FAILED
    assert answer.out == "no policy is in force yet, so nothing is compared\n"


def test_an_open_difference_is_shown_with_code_1(postern: Postern, controller: Northbound) -> None:
    drifted(controller)
    answer = postern("drift")
    assert answer.code == ExitCode.FAILED
    assert answer.out.startswith(
        "1 difference open; drift: report\n  ! s1: foreign flow: admission 60000 anything -> NORMAL\n"
    )


def test_a_missing_flow_is_shown_with_the_line_of_the_policy(
    postern: Postern, controller: Northbound
) -> None:
    controller.world.apply(REPORT)
    channel = channel_of(controller)
    controller.world.settle(channel)
    controller.world.report(channel, channel.switch.delete_all_flows())
    answer = postern("drift")
    assert re.search(r"belongs to [a-z0-9.]+ \(demo\.yaml:\d+:\d+\)", answer.out)
    assert answer.out.count("s1: missing flow: ") == 20
    assert "more; --all shows them" in answer.out
    everything = postern("drift", "--all").out
    assert everything.count("s1: missing flow: ") > 100
    assert re.search(r"belongs to tenants\.acme[a-z0-9.]* \(demo\.yaml:", everything)


def test_drift_in_json_is_the_apis_own_answer(postern: Postern, controller: Northbound) -> None:
    drifted(controller)
    answer = postern("drift", "--json")
    assert answer.code == ExitCode.FAILED
    assert json.loads(answer.out) == controller.http.simulate_get("/v1/drift").json
    (row,) = json.loads(answer.out)["open"]
    assert (row["change"], row["kind"], row["switch"]) == ("foreign", "flow", "s1")


def test_status_of_an_edge_with_drift_is_not_good_and_names_the_command(
    postern: Postern, controller: Northbound
) -> None:
    drifted(controller)
    answer = postern("status")
    assert answer.code == ExitCode.FAILED
    assert "! one difference from what it should hold; see: postern drift" in answer.out
    assert "confirmed on 0 of 1 switches" in answer.out


def test_status_says_how_often_a_switch_was_repaired_and_is_good(
    postern: Postern, controller: Northbound
) -> None:
    by_hand(controller)
    controller.world.settle(channel_of(controller))
    answer = postern("status")
    assert answer.code == ExitCode.OK
    assert "another client changes it: repaired once within the last hour; see: postern drift" in answer.out
    assert "repaired 20" in postern("drift").out
