"""The journal says who has changed what, and why; it does so for changes only, and within limits."""

import errno
import os
from ipaddress import ip_address, ip_network

import pytest

from common.config.errors import ConfigErrors
from common.wire.health import HealthReport
from controller.policy.model import Action
from controller.pools.roster import UnknownMember
from controller.runtime import Asked
from controller.runtime.commands.base import Command
from controller.runtime.commands.members import DrainMember, ListPools, ReportMember
from controller.runtime.commands.policy import ApplyPolicy, PlanPolicy, ReadPolicy
from controller.runtime.commands.suspicion import (
    AllowSource,
    EndAllowance,
    EndDecisions,
    MakeDecisions,
    ReportEvidence,
)
from controller.runtime.commands.tokens import AddToken, EndToken
from controller.runtime.permissions import Forbidden
from controller.runtime.principals import CONTROLLER, OPERATOR, AccessRole, Principal
from controller.store import StoreError
from controller.suspicion.decision import Request, Scope
from controller.suspicion.scores import Evidence
from tests.common.test_reason import HOSTILE
from tests.world import DEMO, World

LESS_WEB = DEMO.replace("ports: [80]", "ports: [8080]")
NIGHT_SHIFT = Principal("night-shift", AccessRole.OPERATOR)
SENSOR = Principal("feed", AccessRole.SENSOR)
DRAIN = DrainMember("proxies.proxy1", True)


def ask(world: World, command: Command[object], reason: str = "", by: Principal = NIGHT_SHIFT) -> object:
    return world.ask(Asked(command, by, reason, world.utc))


def decisions(count: int, origin: str = "operator") -> MakeDecisions:
    hosts = [ip_network(f"198.51.100.{host}") for host in range(count)]
    return MakeDecisions(tuple(Request(Scope(host), Action.DROP, origin) for host in hosts))


def test_an_applied_policy_is_one_line_with_who_why_and_both_revisions(world: World) -> None:
    ask(world, ApplyPolicy("new.yaml", LESS_WEB), "ticket 4711")
    assert world.events("ChangeMade") == [
        {
            "by": "night-shift (operator)",
            "command": "ApplyPolicy",
            "subject": "new.yaml",
            "reason": "ticket 4711",
            "revision_before": 1,
            "revision": 2,
        }
    ]


@pytest.mark.parametrize(
    ("command", "subject"),
    [
        (DRAIN, "drain proxies.proxy1"),
        (DrainMember("proxy1", False), "resume proxy1"),
        (decisions(1), "drop 198.51.100.0"),
        (decisions(3), "3 decisions"),
        (AllowSource(ip_network("198.51.100.0/24"), "monitoring"), "198.51.100.0/24: monitoring"),
        (AddToken("me", AccessRole.SENSOR), "me, role sensor"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_change_says_what_it_is_about(world: World, command: Command[object], subject: str) -> None:
    ask(world, command)
    (made,) = world.events("ChangeMade")
    assert (made["command"], made["subject"]) == (type(command).__name__, subject)


@pytest.mark.parametrize(
    ("command", "end", "subject"),
    [
        (decisions(2), EndDecisions((1,)), "decision 1"),
        (decisions(2), EndDecisions((1, 2)), "2 decisions"),
        (AllowSource(ip_network("198.51.100.7"), "x"), EndAllowance(1), "entry 1"),
        (AddToken("me", AccessRole.SENSOR), EndToken("me"), "me"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_the_end_of_something_says_what_has_ended(
    world: World, command: Command[object], end: Command[object], subject: str
) -> None:
    ask(world, command)
    ask(world, end)
    assert world.events("ChangeMade")[-1]["subject"] == subject


def test_what_the_controller_reloads_by_itself_is_a_change_as_well(world: World) -> None:
    ask(world, ApplyPolicy("demo.yaml", LESS_WEB), "a hang-up signal", CONTROLLER)
    (made,) = world.events("ChangeMade")
    assert (made["by"], made["reason"]) == ("controller", "a hang-up signal")


@pytest.mark.parametrize(
    "command",
    [
        ReadPolicy(),
        PlanPolicy("new.yaml", LESS_WEB),
        ListPools(),
        ReportMember("proxies.proxy1", HealthReport(True)),
        ReportEvidence((Evidence("decoy-login", ip_address("198.51.100.66")),)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_reads_and_routine_reports_are_no_changes(world: World, command: Command[object]) -> None:
    ask(world, command)
    assert world.events("ChangeMade") == world.events("ChangeRefused") == []


@pytest.mark.parametrize(
    ("command", "by", "error", "refusal"),
    [
        (DRAIN, SENSOR, Forbidden, "DrainMember is not permitted for the role sensor"),
        (decisions(1), SENSOR, Forbidden, "feed may make decisions as feed only, not as operator"),
        (DrainMember("proxy9", True), OPERATOR, UnknownMember, "proxy9"),
        (ApplyPolicy("bad.yaml", "postern: 1\nmode: magic\n"), OPERATOR, ConfigErrors, "bad.yaml:2"),
    ],
)
def test_a_refused_change_is_one_line_with_the_refusal(
    world: World, command: Command[object], by: Principal, error: type[Exception], refusal: str
) -> None:
    with pytest.raises(error):
        ask(world, command, "ticket 4711", by)
    (refused,) = world.events("ChangeRefused")
    assert (refused["by"], refused["reason"]) == (str(by), "ticket 4711")
    assert refusal in refused["refusal"]
    assert "\n" not in refused["refusal"] and len(refused["refusal"]) < 210
    assert world.events("ChangeMade") == []


def test_a_change_that_cannot_be_stored_is_refused(world: World) -> None:
    world.store.failure = "disk full"
    with pytest.raises(StoreError):
        ask(world, DRAIN)
    assert world.events("ChangeRefused")[0]["refusal"] == "disk full"


@pytest.mark.parametrize("command", [EndDecisions((7,)), EndAllowance(7), EndToken("nothing")])
def test_ending_what_does_not_exist_is_no_change(world: World, command: Command[object]) -> None:
    ask(world, command)
    assert world.events("ChangeMade") == []
    assert world.events("ChangeRefused")[0]["refusal"] == "there is nothing to change"


def test_decisions_that_are_all_refused_are_no_change(world: World) -> None:
    everyone = MakeDecisions((Request(Scope(ip_network("0.0.0.0/0")), Action.DROP, "operator"),))
    ask(world, everyone)
    (line,) = world.events("ChangeRefused")
    assert (line["subject"], bool(line["refusal"])) == ("drop 0.0.0.0/0", True)
    assert world.events("ChangeMade") == []


def test_the_token_that_was_made_is_not_in_the_journal(world: World) -> None:
    token = ask(world, AddToken("me", AccessRole.SENSOR), "for the new host")
    assert str(token) not in world.journal_text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_one_bounded_printable_line(world: World, text: str) -> None:
    ask(world, AllowSource(ip_network("198.51.100.7"), text), text)
    with pytest.raises(UnknownMember):
        ask(world, DrainMember(text, True), text)
    lines = [line for line in world.journal_text.split("\n") if '"Change' in line]
    assert len(lines) == 2
    assert all(line.isascii() and line.isprintable() for line in lines)
    for event in (*world.events("ChangeMade"), *world.events("ChangeRefused")):
        for fact in map(str, event.values()):
            assert fact.isprintable() and len(fact) < 210


def test_a_full_disk_blocks_no_change() -> None:
    class FullDisk:
        def put(self, _data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def reopen(self) -> None:
            return

    world = World(sink=FullDisk())
    world.start()
    assert world.handle(ApplyPolicy("new.yaml", LESS_WEB), OPERATOR).revision == 2
    with pytest.raises(UnknownMember):
        ask(world, DrainMember("proxy9", True), by=OPERATOR)


def test_a_flood_of_one_principal_is_counted_and_hides_nothing_of_others(world: World) -> None:
    for _ in range(500):
        ask(world, decisions(1, "feed"), by=SENSOR)
        with pytest.raises(Forbidden):
            ask(world, decisions(1), by=SENSOR)
    ask(world, DRAIN, by=OPERATOR)
    assert (len(world.events("ChangeMade")), len(world.events("ChangeRefused"))) == (21, 20)
    assert world.events("ChangeMade")[-1]["by"] == "operator"
    world.tick(60.0)
    assert world.events("ManyChangesAsked") == [
        {"by": "feed (sensor)", "command": "MakeDecisions", "count": 480, "refused": is_refused}
        for is_refused in (False, True)
    ]


def test_a_flood_of_one_command_hides_no_other_command(world: World) -> None:
    for _ in range(100):
        ask(world, decisions(1))
    ask(world, ApplyPolicy("new.yaml", LESS_WEB))
    assert world.events("ChangeMade")[-1]["command"] == "ApplyPolicy"


def test_after_a_minute_changes_get_lines_again(world: World) -> None:
    world.tick(0.5)
    for _ in range(25):
        ask(world, DRAIN)
    world.tick(59.0)
    assert world.events("ManyChangesAsked") == []
    world.tick(1.0)
    ask(world, DRAIN)
    assert len(world.events("ChangeMade")) == 21
    world.tick(60.0)
    assert [each["count"] for each in world.events("ManyChangesAsked")] == [5]
