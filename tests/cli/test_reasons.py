"""`--reason`: on every command that changes something through the API, and on no other."""

import argparse
from pathlib import Path

import pytest

from common.exit_codes import ExitCode
from controller.drift.bridge_record import BridgeRecord
from controller.runtime.events import BridgesRead
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.cli.test_every_command import LEAVES
from tests.common.test_reason import HOSTILE
from tests.world import POLICIES

# They ask the API, and change nothing there.
_READS = {
    "status",
    "prove",
    "plan",
    "explain",
    "flows",
    "pool list",
    "decisions list",
    "decisions show",
    "decisions export",
    "allow list",
    "token list",
    "av fleet",
    "persona learn",
}
_ASK = {name: parser for name, parser in LEAVES.items() if "--api" in parser._option_string_actions}
_CHANGE = sorted(_ASK.keys() - _READS)
REASON = "größe, ticket 4711"


def option(parser: argparse.ArgumentParser) -> argparse.Action:
    return parser._option_string_actions["--reason"]


@pytest.mark.parametrize("name", _CHANGE)
def test_a_command_that_changes_something_takes_a_reason(name: str) -> None:
    assert option(_ASK[name]).help == option(_ASK["apply"]).help


@pytest.mark.parametrize("name", sorted(_READS))
def test_a_command_that_changes_nothing_takes_none(name: str) -> None:
    assert "--reason" not in _ASK[name]._option_string_actions


COMMANDS: dict[str, list[object]] = {
    "ApplyPolicy": ["apply", POLICIES / "demo.yaml"],
    "DrainMember": ["pool", "drain", "proxies.proxy1"],
    "MakeDecisions": ["decisions", "add", "198.51.100.66", "--action", "drop"],
    "AllowSource": ["allow", "add", "198.51.100.66", "--comment", "monitoring"],
    "AcceptBridge": ["drift", "--accept", "s1"],
    "AddToken": ["token", "add", "me", "--role", "sensor"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reason_is_in_the_controllers_journal(
    postern: Postern, controller: Northbound, command: str
) -> None:
    controller.world.runtime.on(BridgesRead((BridgeRecord("b1", "s1", 1),)))
    assert postern(*COMMANDS[command], "--reason", REASON).code == ExitCode.OK
    (made,) = controller.world.events("ChangeMade")
    assert (made["command"], made["reason"]) == (command, REASON)


def test_every_change_of_a_rolling_restart_has_the_reason(postern: Postern, controller: Northbound) -> None:
    controller.sessions = {}
    answer = postern("pool", "roll", "proxies", "--command", "true", "--reason", REASON)
    assert answer.code == ExitCode.OK
    assert [each["reason"] for each in controller.world.events("ChangeMade")] == [REASON] * 4


def test_what_is_ended_and_imported_has_the_reason(
    postern: Postern, controller: Northbound, tmp_path: Path
) -> None:
    blocklist = tmp_path / "blocklist.txt"
    blocklist.write_text("198.51.100.66\n198.51.100.67\n", encoding="utf-8")
    for command in (
        ["decisions", "import", blocklist],
        ["decisions", "delete", 1],
        ["allow", "add", "198.51.100.7", "--comment", "x"],
        ["allow", "delete", 1],
        ["token", "add", "me", "--role", "sensor"],
        ["token", "delete", "me"],
        ["pool", "drain", "proxy1"],
        ["pool", "resume", "proxy1"],
    ):
        assert postern(*command, "--reason", REASON).code == ExitCode.OK
    assert [each["reason"] for each in controller.world.events("ChangeMade")] == [REASON] * 8


def test_a_decision_keeps_the_reason_as_its_own(postern: Postern, controller: Northbound) -> None:
    answer = postern("decisions", "add", "198.51.100.66", "--action", "drop", "--reason", REASON)
    assert REASON in answer.out


def test_without_a_reason_the_journal_says_so(postern: Postern, controller: Northbound) -> None:
    postern("pool", "drain", "proxies.proxy1")
    assert controller.world.events("ChangeMade")[0]["reason"] == ""


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_reason_is_refused_in_one_line_before_the_controller_is_asked(
    postern: Postern, text: str
) -> None:
    answer = postern("pool", "drain", "proxies.proxy1", "--reason", text)
    *_, said = answer.err.removesuffix("\n").split("\n")
    assert answer.code == ExitCode.USAGE
    assert said.startswith("postern pool drain: error: argument --reason: ")
    assert said.isprintable() and "; remedy: write " in said
