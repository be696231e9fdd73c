"""`postern plan` and `postern apply --plan`: what is planned is what is done, or nothing is."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from common.exit_codes import ExitCode
from controller.openflow import messages
from controller.policy.model import Action
from controller.runtime.commands.members import DrainMember
from controller.runtime.commands.suspicion import MakeDecisions
from controller.suspicion.decision import Request, Scope
from controller.sync.outcomes import PlanRefused, Port, PortChanged
from controller.sync.repair_pace import RepairPace
from controller.sync.state import WireFlow, WireKey
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.world import DEMO, POLICIES

LESS_WEB = DEMO.replace("ports: [80]", "ports: [8080]")
WITHOUT_PROXY2 = DEMO.replace(DEMO[DEMO.index("      proxy2:") : DEMO.index("  scanners:\n    kind")], "")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    file = tmp_path / "new.yaml"
    file.write_text(LESS_WEB, encoding="utf-8")
    return file


@pytest.fixture
def saved(postern: Postern, controller: Northbound, new: Path, tmp_path: Path) -> Path:
    """A plan for one published port."""
    plan = tmp_path / "change.plan"
    answer = postern("plan", new, "--out", plan)
    assert answer.out.splitlines()[-1] == f"saved; to apply exactly this: postern apply --plan {plan}"
    return plan


def test_the_policy_in_force_has_an_empty_plan_while_a_member_is_drained(
    postern: Postern, controller: Northbound
) -> None:
    controller.ask_as_controller(DrainMember("proxy1", True))
    answer = postern("plan", POLICIES / "demo.yaml", "--detailed-exitcode")
    assert answer.code == ExitCode.OK
    assert answer.out.splitlines() == [
        "now: member proxies.proxy1 is draining and gets no new sessions",
        "s1: nothing to send",
        "nothing would change",
    ]


def test_changes_have_an_exit_code_of_their_own_if_asked_for(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    assert postern("plan", new).code == ExitCode.OK
    assert postern("plan", new, "--detailed-exitcode").code == ExitCode.CHANGES


def test_open_sessions_are_counted_for_the_plan(
    postern: Postern, controller: Northbound, tmp_path: Path
) -> None:
    controller.sessions = {"02:cc:00:00:00:01": 5, "02:cc:00:00:00:02": 3}
    file = tmp_path / "less.yaml"
    file.write_text(WITHOUT_PROXY2, encoding="utf-8")
    out = postern("plan", file).out
    assert "proxies.proxy2: leaves: it gets no new sessions, and stays until its last one has ended" in out
    assert "open sessions: all 8 stay where they are" in out


def test_a_saved_plan_is_applied_as_it_was_planned(
    postern: Postern, controller: Northbound, saved: Path
) -> None:
    answer = postern("apply", "--plan", saved, "--reason", "ticket 4711")
    assert (answer.code, answer.err) == (ExitCode.OK, "")
    assert "2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted, as planned" in answer.out
    assert controller.world.core.revision == 2


def refused(postern: Postern, controller: Northbound, saved: Path) -> list[str]:
    before = controller.world.core.accepted
    answer = postern("apply", "--plan", saved)
    assert (answer.code, answer.out) == (ExitCode.FAILED, "")
    assert controller.world.core.accepted is before
    return answer.err.splitlines()


def test_a_plan_made_for_another_revision_is_refused(
    postern: Postern, controller: Northbound, saved: Path
) -> None:
    controller.world.apply(DEMO.replace("ports: [80]", "ports: [8081]"))
    controller.settle()
    lines = refused(postern, controller, saved)
    assert lines[0] == "revision 2 is in force, and the plan was made for 1"


def test_a_plan_is_refused_if_a_member_was_drained_since_and_that_matters(
    postern: Postern, controller: Northbound, tmp_path: Path
) -> None:
    file, plan = tmp_path / "weights.yaml", tmp_path / "weights.plan"
    file.write_text(DEMO.replace("proxy2: {at", "proxy2: {weight: 3, at"), encoding="utf-8")
    postern("plan", file, "--out", plan)
    controller.ask_as_controller(DrainMember("proxy1", True))
    lines = refused(postern, controller, plan)
    assert lines[0] == "member proxies.proxy1 is draining and gets no new sessions; then it was as usual"
    assert lines[1].startswith("s1 would now be sent ")


def test_a_member_that_was_drained_since_does_not_matter_for_a_service(
    postern: Postern, controller: Northbound, saved: Path
) -> None:
    controller.ask_as_controller(DrainMember("proxy1", True))
    assert postern("apply", "--plan", saved).code == ExitCode.OK


def test_decisions_come_and_go_without_making_a_plan_outdated(
    postern: Postern, controller: Northbound, saved: Path
) -> None:
    source = ip_network("198.51.100.66")
    controller.ask_as_controller(MakeDecisions((Request(Scope(source), Action.DROP, "api"),)))
    assert postern("apply", "--plan", saved).code == ExitCode.OK


def test_a_plan_is_refused_if_a_switch_has_gone_since(
    postern: Postern, controller: Northbound, saved: Path
) -> None:
    assert controller.channel is not None
    controller.world.disconnect(1, controller.channel)
    assert refused(postern, controller, saved) == ["switch s1 is now not connected, or not yet read"]


def test_a_plan_is_refused_if_a_switch_holds_something_else_since(
    postern: Postern, controller: Northbound, saved: Path
) -> None:
    refuse_the_repair_of_a_lost_flow(controller)
    (line,) = refused(postern, controller, saved)
    assert line.startswith(
        "others have changed s1 in one place, and in no place when this was planned; new: missing flow: "
    )
    assert "others have changed in one place is put right" in postern("plan", POLICIES / "demo.yaml").out


def refuse_the_repair_of_a_lost_flow(controller: Northbound) -> None:
    assert controller.channel is not None
    switch = controller.channel.switch
    controller.world.disconnect(1, controller.channel)
    del switch.tables.flows[next(iter(switch.tables.flows))]
    channel = controller.channel = controller.world.connect(switch=switch)
    while not channel.plans:
        for outcome in channel.exchange():
            controller.world.hear(1, channel, outcome)
    channel.due.clear()
    attempt = controller.world.core.switches.records[1].session.attempt
    controller.world.hear(1, channel, PlanRefused(attempt, "no room"))


def test_a_plan_whose_policy_was_edited_is_refused(
    postern: Postern, controller: Northbound, saved: Path
) -> None:
    saved.write_text(saved.read_text(encoding="utf-8").replace("[8080]", "[8081]"), encoding="utf-8")
    lines = refused(postern, controller, saved)
    assert lines[0].startswith("the policy in the plan is not the one that it was made for; remedy: ")


@pytest.mark.parametrize("text", ["", "{}", "postern: 1", '{"format": 2}', '{"file": 7}', "[" * 9_999])
def test_a_file_that_is_no_plan_is_named_with_a_remedy(
    postern: Postern, controller: Northbound, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "no.plan"
    file.write_text(text, encoding="utf-8")
    answer = postern("apply", "--plan", file)
    assert (answer.code, answer.err.count("\n")) == (ExitCode.FAILED, 1)
    assert answer.err.startswith(f"{file}: not a saved plan: ")
    assert "remedy: " in answer.err


def test_apply_takes_a_file_or_a_plan(postern: Postern, new: Path) -> None:
    for words in (["apply"], ["apply", new, "--plan", new]):
        answer = postern(*words)
        assert answer.code == ExitCode.USAGE
        assert "give either FILE or --plan PLAN" in answer.err


def test_what_is_sent_beside_the_plan_is_told(
    postern: Postern, controller: Northbound, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, settle = controller.channel, controller.world.settle
    assert channel is not None

    def settle_after_a_port_went_down(*arguments: object) -> None:
        monkeypatch.setattr(controller.world, "settle", settle)
        down = Port(4, "02:70:00:00:00:04", "p4", True)  # of proxy1
        controller.world.hear(1, channel, PortChanged(down, False))
        settle(channel)

    monkeypatch.setattr(controller.world, "settle", settle_after_a_port_went_down)
    answer = postern("apply", new, "--json")
    (row,) = json.loads(answer.out)["delivery"]
    assert answer.code == ExitCode.FAILED
    assert [each for each in row["differences"] if "sent, but not planned" in each]
    (event,) = controller.world.events("SentOtherThanPlanned")
    assert (event["switch"], event["revision"]) == ("s1", 2)


def leave_alone_what_others_change(controller: Northbound) -> None:
    controller.world.apply(f"drift: report\n{DEMO}")
    controller.settle()


def add_foreign_flow(controller: Northbound, priority: int = 60_000) -> None:
    assert controller.channel is not None
    foreign = WireFlow(WireKey(0, priority, b""), 0, b"", b"")
    reports = controller.channel.switch.change(messages.add_flow(0, foreign))
    controller.world.report(controller.channel, reports)
    controller.settle()


def test_apply_waits_for_the_repair_that_it_has_asked_for(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    leave_alone_what_others_change(controller)
    add_foreign_flow(controller)
    new.write_text(f"drift: report\n{DEMO}", encoding="utf-8")
    session = controller.world.core.switches.records[1].session
    session._pace = RepairPace(0.3)  # it must not be sent at once
    polls = []

    def tick(_seconds: float) -> None:
        polls.append(controller.world.now)
        controller.world.tick(0.1)
        controller.settle()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.apply.time.sleep", tick)
        answer = postern("apply", new)
    assert len(polls) >= 2
    assert (answer.code, "revision 3 confirmed on 1 of 1 switches" in answer.out) == (ExitCode.OK, True)


def test_apply_fails_if_a_difference_stays(postern: Postern, controller: Northbound, new: Path) -> None:
    leave_alone_what_others_change(controller)
    add_foreign_flow(controller)
    session = controller.world.core.switches.records[1].session
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(session), "expect_repair", lambda session: None)
        new.write_text(f"drift: report\n{LESS_WEB}", encoding="utf-8")
        answer = postern("apply", new)
    assert answer.code == ExitCode.FAILED
    assert "revision 3 confirmed on 0 of 1 switches" in answer.out
    assert (
        "  s1: NOT CONFIRMED: it was sent revision 3, but does not hold exactly that; remedy: " in answer.out
    )
    assert "one difference from what it should hold" in answer.out
    assert [each["revision"] for each in controller.world.events("RevisionConfirmed")] == [1, 2]


def test_applying_the_same_policy_fails_as_well_if_a_difference_stays(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    new.write_text(f"drift: report\n{LESS_WEB}", encoding="utf-8")
    assert postern("apply", new).code == ExitCode.OK
    add_foreign_flow(controller)
    session = controller.world.core.switches.records[1].session
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(session), "expect_repair", lambda session: None)
        answer = postern("apply", new)
    assert (answer.code, session.confirmed_revision) == (ExitCode.FAILED, 2)
    assert "  s1: NOT CONFIRMED: " in answer.out


def test_a_plan_shows_what_others_have_changed_and_that_it_is_removed(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    leave_alone_what_others_change(controller)
    new.write_text(f"drift: report\n{DEMO}", encoding="utf-8")
    add_foreign_flow(controller)
    out = postern("plan", new, "--flows").out
    assert "s1: 0 flows put, 1 deleted" in out or "s1: nothing to send" in out
    assert "; what others have changed in one place is put right\n" in out
    assert "  ! foreign flow: admission 60000 anything -> drop; is removed\n" in out
    add_foreign_flow(controller, 60_001)
    assert "; what others have changed in 2 places is put right\n" in postern("plan", new).out
    assert postern("apply", new).code == ExitCode.OK
    assert "!" not in postern("plan", new, "--flows").out


def test_a_plan_is_refused_if_another_foreign_flow_is_there_than_planned(
    postern: Postern, controller: Northbound, new: Path, tmp_path: Path
) -> None:
    leave_alone_what_others_change(controller)
    new.write_text(f"drift: report\n{LESS_WEB}", encoding="utf-8")
    add_foreign_flow(controller, 60_000)
    plan = tmp_path / "change.plan"
    assert postern("plan", new, "--out", plan).code == ExitCode.OK
    channel = controller.channel
    assert channel is not None
    gone = messages.delete_flow(0, WireFlow(WireKey(0, 60_000, b""), 0, b"", b""))
    controller.world.report(channel, channel.switch.change(gone))
    add_foreign_flow(controller, 60_001)
    lines = refused(postern, controller, plan)
    assert lines[0] == (
        "others have changed s1 in one place, and in one place when this was planned; "
        "new: foreign flow: admission 60001 anything -> drop; "
        "no longer there: foreign flow: admission 60000 anything -> drop; "
        "remedy: see postern drift, and plan again"
    )


def test_apply_removes_a_foreign_flow_in_the_same_step(
    postern: Postern, controller: Northbound, new: Path
) -> None:
    leave_alone_what_others_change(controller)
    new.write_text(f"drift: report\n{LESS_WEB}", encoding="utf-8")
    add_foreign_flow(controller)
    assert controller.channel is not None
    before = len(controller.channel.plans)
    assert postern("apply", new).code == ExitCode.OK
    (plan,) = controller.channel.plans[before:]
    assert 60_000 in {flow.key.priority for flow in plan.deleted_flows}
    assert plan.put_flows
