"""What others change on a real switch is found, named and put right within a second."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from controller.pipeline.tables import Table
from tests.ovs import test_controller
from tests.ovs.test_controller import ATTACKER, Controller

pytestmark = pytest.mark.ovs
controller = test_controller.controller  # the fixture
begin_sessions, sessions = test_controller._begin_sessions, test_controller._sessions

NORMAL = "table=0,priority=60000,actions=NORMAL"
WITHIN_S = 1.0  # what the edge promises; tests on a busy machine may take longer, and say so


def flows(controller: Controller) -> list[str]:
    """All flows; a switch lists those of one priority in no order."""
    return sorted(controller.flows().splitlines())


def groups(controller: Controller) -> list[str]:
    return sorted(controller.ovs.ofctl("dump-groups", "s1").splitlines()[1:])


def drift(controller: Controller) -> dict[str, Any]:
    found: dict[str, Any] = controller.api.get("/v1/drift")
    return found


def await_drift(controller: Controller, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while not is_so(found := drift(controller)):
        assert time.monotonic() < deadline, (found, controller.log.read_text(encoding="utf-8")[-3000:])
        time.sleep(0.01)
    return found


def has_repairs(at_least: int, found: dict[str, Any]) -> bool:
    return bool(found["switches"][0]["repairs"] >= at_least)


def ended(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in found["ended"] if row["ending"] == "repaired"]


def await_ended(controller: Controller, text: str) -> dict[str, Any]:
    """Return the first difference with these words that was repaired."""
    found = await_drift(
        controller,
        lambda found: any(text in f"{row['text']} {row['wanted']}" for row in ended(found)),
    )
    return next(row for row in ended(found) if text in f"{row['text']} {row['wanted']}")


def lines(controller: Controller, event: str) -> list[dict[str, Any]]:
    found = []
    for line in controller.log.read_text(encoding="utf-8").splitlines():
        if line.startswith("{") and f'"event": "{event}"' in line:
            found.append(json.loads(line))
    return found


def test_a_flow_by_hand_that_leads_all_mail_past_the_scanners_is_repaired_within_a_second(
    controller: Controller,
) -> None:
    before = flows(controller)
    began = time.monotonic()
    controller.ovs.ofctl("add-flow", "s1", NORMAL)
    row = await_ended(controller, "NORMAL")
    took = time.monotonic() - began
    assert (row["change"], row["kind"], row["text"]) == (
        "foreign",
        "flow",
        "admission 60000 anything -> NORMAL",
    )
    assert flows(controller) == before
    assert took < WITHIN_S, took
    (line,) = lines(controller, "DriftFound")
    assert line["difference"] == "foreign flow: admission 60000 anything -> NORMAL"


def test_all_flows_deleted_by_hand_are_back_and_the_rules_behind_them_are_named(
    controller: Controller,
) -> None:
    before = flows(controller)
    controller.ovs.ofctl("del-flows", "s1")
    row = await_ended(controller, "tcp_dst=25")
    assert row["rule"].startswith("tenants.")
    assert ":" in row["place"]
    controller.wait_for(1)
    assert flows(controller) == before


def test_a_changed_group_is_put_right(controller: Controller) -> None:
    before = groups(controller)
    number = before[0].split("group_id=")[1].split(",")[0]
    began = time.monotonic()
    controller.ovs.ofctl("mod-group", "s1", f"group_id={number},type=select,bucket=output:2")
    row = await_ended(controller, f"group {number}")
    assert (took := time.monotonic() - began) < WITHIN_S, took
    assert (row["kind"], row["change"]) == ("group", "changed")
    assert "port 2" in row["text"]
    assert row["rule"]
    assert groups(controller) == before


def test_groups_deleted_by_hand_come_back_with_the_flows_that_use_them(controller: Controller) -> None:
    before = flows(controller), groups(controller)
    began = time.monotonic()
    controller.ovs.ofctl("del-groups", "s1")
    await_drift(controller, lambda found: {"flow", "group"} <= {row["kind"] for row in ended(found)})
    controller.wait_for(1)
    took = time.monotonic() - began
    assert (flows(controller), groups(controller)) == before
    assert took < 2 * WITHIN_S, took


def test_a_changed_meter_is_put_right(controller: Controller) -> None:
    before = controller.ovs.ofctl("dump-meters", "s1").splitlines()[1:]
    began = time.monotonic()
    controller.ovs.ofctl("mod-meter", "s1", "meter=1,pktps,band=type=drop,rate=7")
    row = await_ended(controller, "meter 1: 7 packets per second")
    assert (took := time.monotonic() - began) < WITHIN_S, took
    assert (row["kind"], row["change"]) == ("meter", "changed")
    assert controller.ovs.ofctl("dump-meters", "s1").splitlines()[1:] == before


def test_a_deleted_meter_comes_back_with_the_flows_that_use_it(controller: Controller) -> None:
    before = flows(controller)
    controller.ovs.ofctl("del-meters", "s1")
    await_drift(controller, lambda found: {"flow", "meter"} <= {row["kind"] for row in ended(found)})
    controller.wait_for(1)
    assert flows(controller) == before


def test_a_deleted_decision_flow_is_back_and_is_called_by_its_number(controller: Controller) -> None:
    controller.api.post("/v1/decisions", {"decisions": [ATTACKER]})
    before = flows(controller)
    assert "nw_src=198.51.100.66" in " ".join(before)
    controller.ovs.ofctl("del-flows", "s1", "ip,nw_src=198.51.100.66")
    row = await_ended(controller, "198.51.100.66")
    assert (row["change"], row["rule"]) == ("missing", "decisions.1")
    controller.wait_for(1)
    assert flows(controller) == before


def test_a_foreign_flow_with_a_cookie_of_ours_is_still_foreign(controller: Controller) -> None:
    before = flows(controller)
    cookie = before[0].split("cookie=")[1].split(",")[0]
    controller.ovs.ofctl("add-flow", "s1", f"cookie={cookie},{NORMAL}")
    controller.ovs.ofctl("add-flow", "s1", "cookie=0x9058000000000001,table=7,priority=77,actions=drop")
    await_ended(controller, "NORMAL")
    await_ended(controller, " 77 ")
    assert flows(controller) == before


def test_a_flow_replaced_by_one_that_expires_is_put_right(controller: Controller) -> None:
    before = flows(controller)
    table = f"table={Table.SUSPICION.value}"
    line = next(each.strip() for each in before if f" {table}, priority=0" in each)
    same = line.replace("priority=0", "idle_timeout=60,priority=0")
    controller.ovs.ofctl("add-flow", "s1", same)
    row = await_ended(controller, "until unused for 60 s")
    assert row["change"] == "changed"
    assert flows(controller) == before


def test_somebody_who_deletes_all_flows_again_and_again_does_not_win_and_does_not_fill_the_journal(
    controller: Controller,
) -> None:
    before = flows(controller)
    for number in range(1, 9):
        controller.ovs.ofctl("del-flows", "s1")
        await_drift(controller, partial(has_repairs, number))
        controller.wait_for(1)
    assert flows(controller) == before
    (row,) = controller.status()["switches"]
    assert row["repairs"] >= 8
    assert len(lines(controller, "DriftFound")) <= 5
    assert len(lines(controller, "PlanSent")) <= 3
    assert len(controller.log.read_text(encoding="utf-8")) < 100_000


def test_a_repair_loses_no_session(controller: Controller) -> None:
    begin_sessions(controller, range(40_000, 40_020))
    before = sessions(controller)
    assert sum(before) == 20
    controller.ovs.ofctl("del-flows", "s1")
    controller.ovs.ofctl("del-groups", "s1")
    await_ended(controller, "tcp_dst=25")
    controller.await_in_step()
    assert sessions(controller) == before
    begin_sessions(controller, range(41_000, 41_020))
    assert sum(sessions(controller)) == 40


def test_what_the_switch_learns_itself_is_no_drift_and_what_only_looks_like_it_is(
    controller: Controller,
) -> None:
    controller.edit("kind: mail-proxy", "kind: mail-proxy\n    affinity: 1m")
    controller.hang_up()
    controller.wait_for(2)
    begin_sessions(controller, range(40_000, 40_003))
    recall = f"table={Table.RECALL.value}"
    learned = controller.ovs.ofctl("dump-flows", "s1", recall).splitlines()[1:]
    assert learned
    time.sleep(1.2)  # two turns, in which nothing must happen
    assert drift(controller)["ended"] == []
    assert controller.status()["state"] == "confirmed"
    cookie = learned[0].split("cookie=")[1].split(",")[0]
    action = learned[0].split("actions=")[1]
    controller.ovs.ofctl("add-flow", "s1", f"cookie={cookie},{recall},priority=1,actions={action}")
    row = await_ended(controller, "recall 1 anything")
    assert row["change"] == "foreign"
    assert len(controller.ovs.ofctl("dump-flows", "s1", recall).splitlines()[1:]) == len(learned)


def test_with_report_nothing_is_sent_until_the_operator_applies(controller: Controller) -> None:
    controller.edit("\ntenants:", "\ndrift: report\ntenants:")
    controller.hang_up()
    controller.wait_for(2)
    before = flows(controller)
    controller.ovs.ofctl("add-flow", "s1", NORMAL)
    await_drift(controller, lambda found: found["open_count"] == 1)
    status = controller.status()
    assert status["state"] == "waiting"
    (row,) = status["switches"]
    assert (row["phase"], row["confirmed"], row["drift"]) == ("drifted", False, 1)
    assert "postern drift" in " ".join(row["problems"])
    assert "NORMAL" in controller.flows()
    controller.hang_up()
    controller.wait_for(2)
    assert flows(controller) == before
    assert drift(controller)["open_count"] == 0


def test_with_report_a_difference_that_goes_away_is_closed(controller: Controller) -> None:
    controller.edit("\ntenants:", "\ndrift: report\ntenants:")
    controller.hang_up()
    controller.wait_for(2)
    controller.ovs.ofctl("add-flow", "s1", NORMAL)
    await_drift(controller, lambda found: found["open_count"] == 1)
    controller.ovs.ofctl("del-flows", "s1", "--strict", "table=0,priority=60000")
    found = await_drift(controller, lambda found: found["open_count"] == 0)
    assert found["ended"][0]["ending"] == "ended by itself"
    assert controller.wait_for(2)["state"] == "confirmed"


def test_twenty_thousand_foreign_flows_at_once_are_removed_with_a_few_lines_in_the_journal(
    controller: Controller,
) -> None:
    before = flows(controller)
    file = controller.ovs.directory / "flows.txt"
    many = range(20_000)
    file.write_text(
        "".join(f"table=0,priority=5,ip,nw_src=10.{n >> 8}.{n & 255}.1,actions=NORMAL\n" for n in many),
        encoding="utf-8",
    )
    controller.ovs.ofctl("add-flows", "s1", str(file))
    await_ended(controller, "NORMAL")
    deadline = time.monotonic() + 60
    while flows(controller) != before:
        assert time.monotonic() < deadline, len(flows(controller))
        time.sleep(0.2)
    controller.wait_for(1)
    assert len(controller.log.read_text(encoding="utf-8")) < 100_000


def test_the_command_says_what_is_open_with_exit_code_1(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    controller.edit("\ntenants:", "\ndrift: report\ntenants:")
    controller.hang_up()
    controller.wait_for(2)
    api = ["--api", controller.api.address]
    assert main(["drift", *api]) == ExitCode.OK
    controller.ovs.ofctl("add-flow", "s1", NORMAL)
    await_drift(controller, lambda found: found["open_count"] == 1)
    assert main(["drift", *api]) == ExitCode.FAILED
    assert "s1: foreign flow: admission 60000 anything -> NORMAL" in capsys.readouterr().out
    assert main(["status", *api]) == ExitCode.FAILED
    assert "postern drift" in capsys.readouterr().out
