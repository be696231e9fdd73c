"""Plans and receipts with the controller and a real switch: what is said is what the switch holds."""

from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from controller.ids import group_id, meter_of
from controller.pipeline.tables import Table
from tests.ovs import test_controller
from tests.ovs.test_controller import ATTACKER, Controller, knock

pytestmark = pytest.mark.ovs
controller = test_controller.controller  # the fixture
SERVER = "tenants.acme.mail.servers.203.0.113.10"


def postern(controller: Controller, *words: object) -> int:
    return main([*map(str, words), "--api", controller.api.address])


def leave_alone_what_others_change(controller: Controller) -> None:
    controller.edit("postern: 1", "postern: 1\ndrift: report")
    controller.hang_up()
    controller.wait_for(2)
    controller.await_in_step()


def receipt(controller: Controller, number: int) -> dict[str, Any]:
    (row,) = controller.api.get(f"/v1/decisions/{number}")["receipt"]["switches"]
    found: dict[str, Any] = row
    return found


def decide(controller: Controller) -> int:
    answer = controller.api.post("/v1/decisions", {"decisions": [ATTACKER]})
    assert answer["is_confirmed"]
    return int(answer["accepted"][0]["id"])


def test_a_decision_whose_flow_was_deleted_by_hand_is_not_confirmed_any_more(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_alone_what_others_change(controller)
    number = decide(controller)
    for _ in range(3):
        knock(controller, "198.51.100.66", "203.0.113.10", 25)
    row = receipt(controller, number)
    assert (row["state"], row["confirmed"], row["held"]) == ("installed", True, 1)
    assert row["packets"] >= 1
    assert row["bytes"] >= row["packets"] * 54
    controller.ovs.ofctl("del-flows", "s1", f"cookie={0x9058 << 48 | number:#x}/-1")
    row = receipt(controller, number)
    assert (row["state"], row["confirmed"], row["held"]) == ("not installed", False, 0)
    assert postern(controller, "explain", "198.51.100.66") == ExitCode.FAILED
    assert "NOT CONFIRMED by s1 (not installed)" in capsys.readouterr().out


def test_a_rule_that_was_changed_by_hand_is_not_installed_any_more(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_alone_what_others_change(controller)
    assert postern(controller, "explain", SERVER) == ExitCode.OK
    cookie = controller.api.explain(SERVER)["flows"][0]["cookie"]
    controller.ovs.ofctl("mod-flows", "s1", f"table={Table.SERVICE:d},cookie={cookie}/-1,actions=drop")
    assert postern(controller, "explain", SERVER) == ExitCode.FAILED
    assert "s1: NOT INSTALLED: 0 of " in capsys.readouterr().out


def test_a_decision_whose_meter_was_changed_by_hand_is_not_installed_any_more(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_alone_what_others_change(controller)
    answer = controller.api.post("/v1/decisions", {"decisions": [{**ATTACKER, "action": "limit"}]})
    number = answer["accepted"][0]["id"]
    assert postern(controller, "decisions", "show", number) == ExitCode.OK
    meter = meter_of(number)
    controller.ovs.ofctl("mod-meter", "s1", f"meter={meter},pktps,band=type=drop,rate=4000000")
    assert postern(controller, "decisions", "show", number) == ExitCode.FAILED
    said = capsys.readouterr().out
    changed = f"its meter {meter} was changed by hand: 4,000,000 packets per second instead of 10 packets"
    assert changed in said
    controller.ovs.ofctl("del-meter", "s1", f"meter={meter}")
    assert postern(controller, "decisions", "list") == ExitCode.FAILED
    row = receipt(controller, number)
    assert (row["state"], row["faults"]) == ("not installed", [f"its meter {meter} is missing"])


def test_a_rule_whose_group_was_changed_by_hand_is_not_installed_any_more(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_alone_what_others_change(controller)
    assert postern(controller, "explain", "pools.antivirus") == ExitCode.OK
    number = group_id("antivirus")
    controller.ovs.ofctl("mod-group", "s1", f"group_id={number},type=select,bucket=output:2")
    assert postern(controller, "explain", "pools.antivirus") == ExitCode.FAILED
    assert f"its group {number} was changed by hand: 1 x (port 2) instead of " in capsys.readouterr().out


def test_a_foreign_flow_is_part_of_what_happens_to_a_source(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_alone_what_others_change(controller)
    assert postern(controller, "explain", "198.51.100.67") == ExitCode.OK
    controller.ovs.ofctl("add-flow", "s1", "priority=60000,actions=NORMAL")
    controller.wait(lambda status: bool(status["switches"][0]["drift"]))
    capsys.readouterr()
    assert postern(controller, "explain", "198.51.100.67") == ExitCode.FAILED
    assert "; but s1 holds 1 foreign flow; see `postern drift`" in capsys.readouterr().out


def test_all_flows_of_the_policy_can_be_counted_while_there_are_decisions(controller: Controller) -> None:
    controller.await_in_step()
    decide(controller)
    rows = controller.api.get("/v1/flows?counts=true")["s1"]
    held = controller.ovs.ofctl("dump-flows", "s1", "cookie=0x9057000000000000/0xffff000000000000")
    assert len(rows) == held.count("cookie=")
    assert {row["state"] for row in rows} == {"installed"}
    assert sum(row["packets"] for row in rows) >= 0


def test_a_saved_plan_changes_the_switch_exactly_as_it_says(
    controller: Controller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controller.api.post("/v1/members/proxy1", {"drained": True})
    controller.await_in_step()
    edited, plan = tmp_path / "edited.yaml", tmp_path / "change.plan"
    text = controller.policy.read_text(encoding="utf-8")
    edited.write_text(text.replace("ports: [80]", "ports: [8080]"), encoding="utf-8")
    answer = controller.api.post(
        "/v1/plan", {"file": str(edited), "text": edited.read_text(encoding="utf-8")}
    )
    before = set(controller.flows().splitlines())
    assert postern(controller, "plan", edited, "--out", plan) == ExitCode.OK
    assert postern(controller, "apply", "--plan", plan) == ExitCode.OK
    after = set(controller.flows().splitlines())
    change = answer["switches"]["s1"]
    assert (len(after - before), len(before - after)) == (len(change["added"]), len(change["removed"]))
    assert "as planned" in capsys.readouterr().out
    assert postern(controller, "plan", edited, "--detailed-exitcode") == ExitCode.OK


def test_a_plan_is_refused_on_a_switch_whose_controller_has_moved_on(
    controller: Controller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "change.plan"
    controller.await_in_step()
    assert postern(controller, "plan", controller.policy, "--out", plan) == ExitCode.OK
    controller.edit("servers: [203.0.113.74", "servers: [203.0.113.75")
    controller.hang_up()
    controller.wait_for(2)
    before = controller.flows()
    assert postern(controller, "apply", "--plan", plan) == ExitCode.FAILED
    assert "revision 2 is in force, and the plan was made for 1" in capsys.readouterr().err
    assert controller.flows() == before


def test_apply_repairs_although_drift_is_only_reported_and_says_confirmed_only_after_it(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_alone_what_others_change(controller)
    for _ in range(3):
        controller.ovs.ofctl("add-flow", "s1", "priority=60000,actions=NORMAL")
        controller.wait(lambda status: bool(status["switches"][0]["drift"]))
        capsys.readouterr()
        assert postern(controller, "apply", controller.policy) == ExitCode.OK
        assert "confirmed on 1 of 1 switches" in capsys.readouterr().out
        assert "NORMAL" not in controller.flows()
