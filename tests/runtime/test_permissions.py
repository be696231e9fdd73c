"""Roles: what each may ask for, and about whom."""

from ipaddress import ip_address, ip_network

import pytest

from common.wire.health import HealthReport
from controller.policy.model import Action
from controller.pools.conntrack import Counts
from controller.runtime.commands.antivirus import ReportAntivirus
from controller.runtime.commands.base import Command
from controller.runtime.commands.members import (
    DrainMember,
    NoteCounts,
    ReadAgentSettings,
    ReadPoolSettings,
    ReportMember,
)
from controller.runtime.commands.policy import ApplyPolicy, ReadPolicy
from controller.runtime.commands.suspicion import (
    EndDecisions,
    ListBans,
    ListOrigin,
    MakeDecisions,
    ReportEvidence,
)
from controller.runtime.commands.tokens import AddToken, IdentifyBearer
from controller.runtime.permissions import COMMANDS_BY_ROLE, Forbidden, check
from controller.runtime.principals import CONTROLLER, OPERATOR, AccessRole, Principal
from controller.suspicion.decision import Request, Scope
from controller.suspicion.scores import Evidence
from tests.world import DEMO, World

MEMBER = Principal("proxies.proxy1", AccessRole.MEMBER)
AV_SERVER = Principal("antivirus.av1", AccessRole.MEMBER)
SENSOR = Principal("feed", AccessRole.SENSOR)
BOUNCER = Principal("firewall1", AccessRole.BOUNCER)
WELL = HealthReport(True)
EVIDENCE = ReportEvidence((Evidence("decoy-login", ip_address("198.51.100.66")),))


def decision(origin: str) -> Request:
    return Request(Scope(ip_network("198.51.100.66")), Action.DROP, origin)


@pytest.mark.parametrize(
    ("by", "command"),
    [
        (MEMBER, ReportMember("proxies.proxy1", WELL)),
        (MEMBER, ReadAgentSettings("proxies.proxy1")),
        (MEMBER, ReadPoolSettings("proxies")),
        (AV_SERVER, ReportAntivirus("av1", {}, "", ())),
        (MEMBER, EVIDENCE),
        (SENSOR, EVIDENCE),
        (SENSOR, ListOrigin("feed")),
        (SENSOR, MakeDecisions((decision("feed"), decision("feed:drop")))),
        (SENSOR, EndDecisions((7,), "feed")),
        (BOUNCER, ListBans()),
        (OPERATOR, ApplyPolicy("demo.yaml", DEMO)),
        (OPERATOR, EndDecisions((7,))),
        (OPERATOR, ReportMember("proxies.proxy1", WELL)),
        (CONTROLLER, NoteCounts(Counts({}))),
    ],
)
def test_a_role_may_do_what_it_is_for(by: Principal, command: Command[object]) -> None:
    check(by, command, {"antivirus.av1"})


@pytest.mark.parametrize(
    ("by", "command", "reason"),
    [
        (MEMBER, ReportMember("proxies.proxy2", WELL), "may ask about proxies.proxy1 only"),
        (MEMBER, ReportMember("proxy1", WELL), "may ask about proxies.proxy1 only"),
        (MEMBER, ReadAgentSettings("scanners.proxy1"), "may ask about proxies.proxy1 only"),
        (MEMBER, ReadPoolSettings("decoys"), "may ask about proxies only"),
        (MEMBER, ReportAntivirus("av2", {}, "", ()), "may ask about proxy1 only"),
        (MEMBER, ReportAntivirus("proxy1", {}, "", ()), "proxies.proxy1 is not an anti-virus server"),
        (MEMBER, DrainMember("proxies.proxy1", True), "DrainMember is not permitted for the role member"),
        (SENSOR, MakeDecisions((decision("feed"), decision("other"))), "not as other"),
        (SENSOR, MakeDecisions((decision("feeder"),)), "feed may make decisions as feed only, not as feeder"),
        (SENSOR, EndDecisions((7,), "operator"), "not as operator"),
        (SENSOR, EndDecisions((7,)), "feed may make decisions as feed only"),
        (SENSOR, ListOrigin("operator"), "not as operator"),
        (SENSOR, ReadPolicy(), "ReadPolicy is not permitted for the role sensor"),
        (BOUNCER, EVIDENCE, "ReportEvidence is not permitted for the role bouncer"),
        (OPERATOR, IdentifyBearer("x"), "IdentifyBearer is not permitted for the role operator"),
        (OPERATOR, AddToken("x", AccessRole.CONTROLLER), "no token can have the role controller"),
    ],
)
def test_a_role_may_do_nothing_else(by: Principal, command: Command[object], reason: str) -> None:
    with pytest.raises(Forbidden, match=reason):
        check(by, command, {"antivirus.av1"})


def test_a_command_that_is_refused_changes_nothing() -> None:
    world = World()
    world.start()
    with pytest.raises(Forbidden):
        world.handle(ApplyPolicy("new.yaml", DEMO.replace("ports: [80]", "ports: [8080]")), SENSOR)
    assert world.handle(ReadPolicy()).revision == 1  # type: ignore[union-attr]


def test_nothing_that_the_program_does_by_itself_can_be_asked_for_with_a_token() -> None:
    by_itself = COMMANDS_BY_ROLE[AccessRole.CONTROLLER] - COMMANDS_BY_ROLE[AccessRole.OPERATOR]
    assert {IdentifyBearer, NoteCounts} <= by_itself
    for role in (AccessRole.OPERATOR, AccessRole.SENSOR, AccessRole.MEMBER, AccessRole.BOUNCER):
        assert not COMMANDS_BY_ROLE[role] & by_itself


@pytest.mark.parametrize(
    ("principal", "text"),
    [(OPERATOR, "operator"), (CONTROLLER, "controller"), (SENSOR, "feed (sensor)")],
)
def test_the_journal_names_a_principal_with_its_role(principal: Principal, text: str) -> None:
    assert str(principal) == text
