"""`postern` against a running controller, without one, and with files only."""

import json
from pathlib import Path

import pytest

from common.exit_codes import ExitCode
from common.wire.health import HealthReport
from controller.api.client import ApiClient
from controller.runtime.commands.members import DrainMember, ReportMember
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.world import DEMO, POLICIES

LESS_WEB = DEMO.replace("ports: [80]", "ports: [8080]")
BAD = DEMO.replace("mode: proxy", "mode: magic")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return written(tmp_path, LESS_WEB)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return written(tmp_path, BAD, "bad.yaml")


def written(directory: Path, text: str, name: str = "new.yaml") -> Path:
    file = directory / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["flows"],
        ["plan", POLICIES / "demo.yaml"],
        ["apply", POLICIES / "demo.yaml"],
        ["explain", "tenants.acme"],
        ["pool", "list"],
        ["pool", "drain", "proxy1"],
    ],
    ids=lambda command: " ".join(map(str, command[:2])).split("/")[0],
)
def test_without_a_controller_a_command_says_how_to_start_one(
    postern: Postern, socket_path: Path, command: list[object]
) -> None:
    answer = postern(*command)
    assert (answer.code, answer.out) == (ExitCode.UNREACHABLE, "")
    assert f"no controller answers at unix:{socket_path}" in answer.err
    assert "remedy: start it (postern-controller, or `postern lab up demo`)" in answer.err


def test_another_api_can_be_named_on_the_command_line(postern: Postern, controller: Northbound) -> None:
    answer = postern("status", "--api", "unix:/nowhere/at/all.sock")
    assert "no controller answers at unix:/nowhere/at/all.sock" in answer.err


def test_an_api_that_does_not_speak_http_is_told_as_one_that_is_not_there(
    postern: Postern, socket_path: Path
) -> None:
    socket_path.write_text("a file, not a socket", encoding="utf-8")
    assert "no controller answers" in postern("status").err


def test_status_of_a_confirmed_edge_is_good(postern: Postern, controller: Northbound) -> None:
    answer = postern("status")
    assert answer.code == 0
    assert answer.out.startswith("revision 1 confirmed on 1 of 1 switches  (demo.yaml)\n  revision 1 proved ")
    assert "\n  s1 " in answer.out
    assert "3 packet-ins" in answer.out


def test_status_of_an_edge_whose_switch_is_away_is_not_good(postern: Postern, controller: Northbound) -> None:
    assert controller.channel is not None
    controller.world.disconnect(1, controller.channel)
    answer = postern("status")
    assert answer.code == 1
    assert "s1           not connected" in answer.out


def test_status_names_strange_switches_and_broken_ports(postern: Postern, controller: Northbound) -> None:
    controller.world.connect(dpid=0xAB)
    controller.world.core.switches.records[1].session.last_error = "no answer within 15 s while sending"
    answer = postern("status")
    assert "! a switch with dpid 00000000000000ab is connected, but not in the policy" in answer.out
    assert "! no answer within 15 s while sending" in answer.out


WRONG: dict[str, dict[str, object]] = {
    "a revision that waits": {"state": "waiting"},
    "a pool without a member": {"pools": ["proxies EMPTY: mail waits"]},
    "a silent agent": {"unheard": ["proxies.proxy1 is unheard for 9 s, new sessions still go to it"]},
    "wrong cabling": {"cabling": ["s1:7 leads to s3:1 instead of s2:1"]},
    "a flood": {"floods": ["s1 is flooded: 900 first packets per second"]},
    "a switch that is not in the policy": {"unknown_switches": ["00000000000000ab"]},
    "a proof that failed": {"proof": {"summary": "NOT proved", "problems": ["tcp 25 gets through"]}},
    "a problem of a switch": {"problems": ["port 4 does not exist"]},
    "a switch that is not connected": {"connected": False},
}


@pytest.mark.parametrize("found", WRONG.values(), ids=WRONG)
def test_status_that_shows_something_wrong_does_not_end_with_code_0(
    postern: Postern, monkeypatch: pytest.MonkeyPatch, found: dict[str, object]
) -> None:
    row = {"name": "s1", "connected": True, "phase": "in sync", "confirmed_revision": 1}
    row |= {"flows": 9, "packet_ins": 0, "problems": [], "watched": "monitored", "repairs": 0}
    row |= {key: value for key, value in found.items() if key in row}
    good: dict[str, object] = {
        "state": "confirmed",
        "policy_file": "demo.yaml",
        "switches": [row],
        "unknown_switches": [],
    }
    good |= {"pools": [], "cabling": [], "floods": []}
    good["proof"] = {"summary": "proved", "problems": []}
    monkeypatch.setattr(ApiClient, "get", lambda *_: {**good, **found})
    answer = postern("status")
    assert (answer.code, answer.err) == (ExitCode.FAILED, "")


def test_status_in_json_is_the_apis_own_answer(postern: Postern, controller: Northbound) -> None:
    answer = postern("status", "--json")
    assert answer.code == 0
    assert json.loads(answer.out) == controller.http.simulate_get("/v1/status").json


def test_plan_shows_what_would_come_and_go(postern: Postern, controller: Northbound, new: Path) -> None:
    answer = postern("plan", new)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "tenant acme: services.web.ports: + 8080; - 80"
    assert lines[-1] == "s1: 2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted"
    flows = postern("plan", new, "--flows").out.splitlines()
    assert flows[: len(lines)] == lines
    assert [line[:4] for line in flows[len(lines) :]] == ["  - ", "  - ", "  + ", "  + "]
    assert controller.world.core.accepted.revision == 1  # type: ignore[union-attr]


def test_plan_of_what_is_there_already_changes_nothing(postern: Postern, controller: Northbound) -> None:
    assert "nothing would change" in postern("plan", POLICIES / "demo.yaml").out


def test_apply_waits_until_the_switches_have_confirmed(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    answer = postern("apply", new)
    assert answer.code == 0
    *_, sent, summary = answer.out.splitlines()
    assert sent == "s1: sent 2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted, as planned"
    assert summary == "revision 2 confirmed on 1 of 1 switches"


def test_apply_of_a_bad_policy_changes_nothing_and_says_where(
    postern: Postern, controller: Northbound, bad: Path
) -> None:
    answer = postern("apply", bad)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"{bad}:")
    assert "tenants.acme.mail.mode" in answer.err
    assert "remedy: " in answer.err


def test_apply_says_when_a_switch_did_not_confirm_in_time(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    controller.channel = None  # the switch answers no more
    answer = postern("apply", new, "--timeout", "0s")
    assert answer.code == 1
    assert "confirmed on 0 of 1 switches" in answer.out


def test_apply_does_not_wait_for_a_switch_that_is_away(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    assert controller.channel is not None
    controller.world.disconnect(1, controller.channel)
    answer = postern("apply", new)
    assert answer.code == 0
    assert "s1: not connected; it gets revision 2 when it comes back" in answer.out


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_file_that_is_not_there_is_named(postern: Postern, controller: Northbound, command: str) -> None:
    answer = postern(command, "/nowhere/policy.yaml")
    assert answer.code == 1
    assert answer.err.startswith("/nowhere/policy.yaml: cannot be read: ")


def test_a_file_that_is_no_text_is_named(postern: Postern, controller: Northbound, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"postern: 1\n\xff\xfe")
    answer = postern("apply", tmp_path / "p.yaml")
    assert answer.code == 1
    assert "p.yaml: cannot be read: " in answer.err


def test_explain_leads_from_a_cookie_to_the_line(postern: Postern, controller: Northbound) -> None:
    by_rule = postern("explain", "tenants.acme.services.web")
    assert by_rule.code == 0
    cookie = by_rule.out.split("cookie=")[1].split()[0]
    by_cookie = postern("explain", cookie)
    assert by_cookie.out == by_rule.out
    assert "tenants.acme.services.web\n  written at demo.yaml:" in by_cookie.out


def test_explain_takes_a_rule_with_a_slash_in_it(postern: Postern, controller: Northbound) -> None:
    answer = postern("explain", "tenants.acme.prefixes.203.0.113.0/26")
    assert answer.code == 0
    assert "ip_dst=203.0.113.0/26" in answer.out


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("0x1", "not a cookie of this edge"),
        ("tenants.nobody", "no flow comes from a rule"),
        ("0xyz", "write 0x and hex digits"),
    ],
)
def test_explain_says_what_it_cannot_explain(
    postern: Postern, controller: Northbound, what: str, why: str
) -> None:
    answer = postern("explain", what)
    assert answer.code == 1
    assert why in answer.err


def test_flows_of_the_controller_are_those_of_its_policys_file(
    postern: Postern, controller: Northbound
) -> None:
    running = postern("flows")
    assert running.code == 0
    assert postern("flows", "--policy", POLICIES / "demo.yaml").out == running.out


def test_flows_of_a_switch_that_is_not_there_names_those_that_are(
    postern: Postern, controller: Northbound
) -> None:
    answer = postern("flows", "s9")
    assert (answer.code, answer.err) == (1, "no switch s9; the policy has: s1\n")


def test_flows_of_a_bad_file_says_what_is_wrong(postern: Postern, bad: Path) -> None:
    answer = postern("flows", "--policy", bad)
    assert answer.code == 1
    assert "tenants.acme.mail.mode" in answer.err


def test_a_pool_shows_who_takes_new_sessions(postern: Postern, controller: Northbound) -> None:
    controller.sessions = {"02:cc:00:00:00:01": 1}
    answer = postern("pool", "list")
    assert answer.code == 0
    (line,) = [line for line in answer.out.splitlines() if "proxy1" in line]
    assert line.split()[1] == "up"
    assert line.endswith("50 % of new sessions, 1 open")


def test_an_empty_pool_is_shown_loudly(postern: Postern, controller: Northbound, tmp_path: Path) -> None:
    text = DEMO.replace("on_empty: tempfail", "on_empty: bypass")
    controller.world.apply(text)
    for name in ("proxy1", "proxy2"):
        controller.world.handle(DrainMember(name, True))
    words = "EMPTY: acme's mail is delivered UNSCANNED (on_empty: bypass)"
    for command, line in ((("status",), f"  ! proxies {words}"), (("pool", "list"), f"  ! {words}")):
        answer = postern(*command)
        assert answer.code == 1
        assert line in answer.out.splitlines()


def test_a_full_member_is_shown_with_its_limit(postern: Postern, controller: Northbound) -> None:
    text = DEMO.replace("proxy1: {at: s1:4,", "proxy1: {limit: 3, at: s1:4,")
    controller.world.apply(text)
    controller.sessions = {"02:cc:00:00:00:01": 3}
    (line,) = [each for each in postern("pool", "list").out.splitlines() if "proxy1" in each]
    assert line.split()[:4] == ["proxy1", "full", "weight", "1"]
    assert line.endswith("0 % of new sessions, 3 of 3 open")


def test_a_member_is_drained_and_resumed(postern: Postern, controller: Northbound) -> None:
    assert postern("pool", "drain", "proxy1").out == "  proxy1: draining\n"
    assert postern("pool", "resume", "proxy1").out == "  proxy1: up\n"


def test_a_pool_is_rolled_through_member_by_member(postern: Postern, controller: Northbound) -> None:
    controller.sessions = {}
    answer = postern("pool", "roll", "proxies", "--command", "true")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == "all 2 members of proxies have been restarted"
    assert controller.world.core.roster.resting == frozenset()


def test_rolling_stops_before_the_next_member_when_one_does_not_come_back(
    postern: Postern, controller: Northbound
) -> None:
    controller.sessions = {}
    for _ in range(2):
        controller.world.handle(ReportMember("proxy1", HealthReport(False, "refused")))
    answer = postern("pool", "roll", "proxies", "--command", "true", "--patience", "0s")
    assert answer.code == 1
    assert answer.err == "proxy1 is down after 0 s: refused\n"
    assert controller.world.core.roster.resting == {"pools.proxies.members.proxy1"}


def test_a_member_that_nobody_knows_is_an_error_that_names_the_known(
    postern: Postern, controller: Northbound
) -> None:
    answer = postern("pool", "drain", "proxy9")
    assert answer.code == 1
    assert "no pool has a member proxy9; remedy: use one of" in answer.err


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["apply"], ["explain"]])
def test_wrong_usage_ends_with_code_2(postern: Postern, arguments: list[str]) -> None:
    answer = postern(*arguments)
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    assert answer.err.startswith("usage: postern")
