"""Settings of switches that others have changed: what `plan` says about them, and `apply --plan`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.exit_codes import ExitCode
from controller.runtime.events import BridgeRepairEnded, BridgesRead, BridgesUnread
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.cli.test_plan import leave_alone_what_others_change, refused
from tests.runtime.test_bridges import CLEAR, GOOD, MIRRORED, STANDALONE
from tests.world import DEMO

NO_FORWARD, DOWN, DROP = 32, 1, 1
FAIL_MODE = "changed fail mode: standalone, instead of secure"
FRAGMENTS = "changed setting: fragments are drop, instead of normal"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """The policy in force, which only reports drift."""
    file = tmp_path / "new.yaml"
    file.write_text(f"drift: report\n{DEMO}", encoding="utf-8")
    return file


@pytest.fixture
def reporting(controller: Northbound) -> Northbound:
    controller.world.runtime.on(BridgesRead((GOOD,)))
    leave_alone_what_others_change(controller)
    return controller


def turn(controller: Northbound) -> None:
    """Let time pass until settings were read."""
    for _ in range(2):
        controller.world.tick(0.5)
        controller.settle()


def set_port(controller: Northbound, number: int, config: int) -> None:
    assert controller.channel is not None
    report = controller.channel.switch.set_port(number, config)
    controller.world.report(controller.channel, [report])


def drop_fragments(controller: Northbound) -> None:
    assert controller.channel is not None
    controller.channel.switch.fragments = DROP
    turn(controller)


def test_a_plan_counts_and_names_the_settings_that_are_put_back(
    postern: Postern, reporting: Northbound, new: Path
) -> None:
    drop_fragments(reporting)
    reporting.world.runtime.on(BridgesRead((replace(MIRRORED, wrong=STANDALONE),)))
    answer = postern("plan", new, "--detailed-exitcode")
    assert answer.code == ExitCode.CHANGES
    assert answer.out.splitlines()[:4] == [
        "puts back 3 settings of switch s1:",
        "    foreign mirror: tap; is removed",
        f"    {FAIL_MODE}",
        f"    {FRAGMENTS}",
    ]


def test_the_document_of_a_plan_has_what_is_and_what_will_be(
    postern: Postern, reporting: Northbound, new: Path
) -> None:
    drop_fragments(reporting)
    plan = json.loads(postern("plan", new, "--json").out)
    (row,) = plan["sends"]
    (setting,) = row["settings"]
    assert (setting["text"], setting["wanted"]) == ("fragments are drop", "normal")
    assert (setting["kind"], setting["said"], plan["is_empty"]) == ("setting", FRAGMENTS, False)
    assert plan["state"]["switches"]["s1"]["settings"] == 1


def test_a_plan_does_not_promise_what_apply_cannot_put_back(
    postern: Postern, reporting: Northbound, new: Path
) -> None:
    set_port(reporting, 4, DOWN)
    answer = postern("plan", new, "--detailed-exitcode")
    assert answer.code == ExitCode.OK
    lines = answer.out.splitlines()
    assert "apply does not change all of switch s1; this stays:" in lines
    assert (
        "    changed port: port 4 (p4) was taken down by a command, instead of up; remedy: "
        "unless it is meant to be down: ovs-ofctl -O OpenFlow14 mod-port s1 4 up; "
        "Postern does not take ports up"
    ) in lines
    assert "puts back" not in answer.out


def test_a_bridge_that_cannot_be_seen_now_is_not_promised(
    postern: Postern, reporting: Northbound, new: Path
) -> None:
    reporting.world.runtime.on(BridgesRead((replace(GOOD, wrong=STANDALONE),)))
    reporting.world.runtime.on(BridgesUnread("db.sock: no such file"))
    out = postern("plan", new).out
    assert "puts back" not in out
    assert f"apply does not change all of switch s1; this stays:\n    {FAIL_MODE}; remedy: " in out


def test_in_repair_mode_a_setting_is_in_the_plan_as_long_as_it_is_open(
    postern: Postern, controller: Northbound, tmp_path: Path
) -> None:
    set_port(controller, 4, NO_FORWARD)
    file = tmp_path / "new.yaml"
    file.write_text(DEMO, encoding="utf-8")
    assert "puts back one setting of switch s1:\n" in postern("plan", file).out
    turn(controller)
    assert "puts back" not in postern("plan", file).out


def test_a_plan_that_has_a_bridge_created_again_warns_of_it(
    postern: Postern, reporting: Northbound, new: Path
) -> None:
    reporting.world.runtime.on(BridgesRead((replace(GOOD, datapath_type="netdev"),)))
    out = postern("plan", new).out
    assert "! switch s1: its datapath_type is put back, so Open vSwitch creates the bridge again" in out


def test_a_plan_warns_of_a_setting_that_could_not_be_put_back_before(
    postern: Postern, reporting: Northbound, new: Path
) -> None:
    reporting.world.runtime.on(BridgesRead((MIRRORED,)))
    reporting.world.apply(f"drift: report\n{DEMO}")
    reporting.world.runtime.on(BridgeRepairEnded("s1", "ovs-vsctl: no"))
    out = postern("plan", new).out
    assert "! switch s1: the last attempt to put its settings back has failed: ovs-vsctl: no\n" in out


def test_a_plan_is_refused_if_a_setting_was_changed_since(
    postern: Postern, reporting: Northbound, new: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "change.plan"
    postern("plan", new, "--out", plan)
    reporting.world.runtime.on(BridgesRead((replace(GOOD, wrong=STANDALONE),)))
    assert refused(postern, reporting, plan) == [
        f"one setting of s1 would be put back, and no setting when this was planned; new: {FAIL_MODE}; "
        "remedy: see postern drift, and plan again"
    ]
    assert reporting.world.bridges.changes == []


def test_a_plan_is_refused_if_a_setting_was_put_back_by_others_since(
    postern: Postern, reporting: Northbound, new: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "change.plan"
    set_port(reporting, 4, NO_FORWARD)
    postern("plan", new, "--out", plan)
    set_port(reporting, 4, 0)
    (line,) = refused(postern, reporting, plan)
    assert line.startswith(
        "no setting of s1 would be put back, and one setting when this was planned; no longer there: changed"
    )


def test_a_plan_is_refused_if_another_setting_would_be_put_back_than_planned(
    postern: Postern, reporting: Northbound, new: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "change.plan"
    set_port(reporting, 4, NO_FORWARD)
    postern("plan", new, "--out", plan)
    set_port(reporting, 4, 0)
    set_port(reporting, 5, NO_FORWARD)
    assert len(refused(postern, reporting, plan)) == 1


def test_a_port_that_was_taken_down_since_does_not_make_a_plan_outdated(
    postern: Postern, reporting: Northbound, new: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "change.plan"
    postern("plan", new, "--out", plan)
    set_port(reporting, 11, DOWN)
    assert postern("apply", "--plan", plan).code == ExitCode.OK


def test_a_saved_plan_puts_back_what_it_names(
    postern: Postern, reporting: Northbound, new: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "change.plan"
    reporting.world.runtime.on(BridgesRead((MIRRORED,)))
    postern("plan", new, "--out", plan)
    assert "foreign mirror: tap" in plan.read_text(encoding="utf-8")

    def tick(_seconds: float) -> None:
        reporting.world.runtime.on(BridgesRead((GOOD,)))
        reporting.world.runtime.on(BridgeRepairEnded("s1", ""))
        reporting.world.tick(1.1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.apply.time.sleep", tick)
        answer = postern("apply", "--plan", plan)
    assert reporting.world.bridges.changes == [CLEAR]
    assert (answer.code, answer.err) == (ExitCode.OK, "")
    assert "puts back one setting of switch s1:\n    foreign mirror: tap; is removed\n" in answer.out
