"""Which commands a role may use, and about what. Pure; the API turns a refusal into 403."""

from collections.abc import Container, Mapping

from controller.runtime.commands import (
    antivirus,
    drift,
    members,
    policy,
    proofs,
    receipts,
    sessions,
    suspicion,
    switches,
    tokens,
)
from controller.runtime.commands.base import Command
from controller.runtime.principals import BEARER_ROLES, AccessRole, Principal

Kinds = frozenset[type[Command[object]]]


class Forbidden(Exception):
    """The role does not permit the command, or not for this subject; the text says what it permits."""


_OF_SENSORS: Kinds = frozenset(
    {suspicion.ReportEvidence, suspicion.ListOrigin, suspicion.MakeDecisions, suspicion.EndDecisions}
)
_OF_MEMBERS: Kinds = frozenset(
    {
        members.ReportMember,
        members.ReadAgentSettings,
        members.ReadPoolSettings,
        suspicion.ReportEvidence,
        antivirus.ReportAntivirus,
    }
)
_OF_BOUNCERS: Kinds = frozenset({suspicion.ListBans})
_OF_OPERATORS: Kinds = frozenset(
    {
        policy.ApplyPolicy,
        policy.PlanPolicy,
        policy.ReadPolicy,
        policy.ReadDelivery,
        policy.ReadFlows,
        policy.ListFlows,
        policy.ExplainCookie,
        policy.ExplainRule,
        policy.ReadConsent,
        switches.AcceptBridge,
        switches.ReadStatus,
        drift.ReadDrift,
        switches.ReadSettled,
        proofs.DemandProof,
        proofs.ReadProof,
        members.DrainMember,
        members.ListPools,
        antivirus.ReadFleet,
        suspicion.ListDecisions,
        suspicion.FindDecisions,
        suspicion.ReadDecision,
        suspicion.ReadReceipts,
        suspicion.ReadAllowanceReceipts,
        receipts.CountFlows,
        receipts.ReadCounts,
        suspicion.ExplainSource,
        suspicion.AllowSource,
        suspicion.EndAllowance,
        suspicion.ListAllowances,
        tokens.AddToken,
        tokens.EndToken,
        tokens.ListTokens,
    }
)
_OF_THE_CONTROLLER: Kinds = frozenset(
    {
        tokens.IdentifyBearer,
        members.NoteCounts,
        sessions.NoteConnections,
        sessions.NoteForgotten,
        sessions.ReadSessionWork,
        sessions.ReadCountsWanted,
        sessions.CutOrphans,
        sessions.CutDecided,
        sessions.WakeUp,
    }
)
_PEOPLE: Kinds = _OF_OPERATORS | _OF_SENSORS | _OF_MEMBERS | _OF_BOUNCERS
COMMANDS_BY_ROLE: Mapping[AccessRole, Kinds] = {
    AccessRole.OPERATOR: _PEOPLE,
    AccessRole.SENSOR: _OF_SENSORS,
    AccessRole.MEMBER: _OF_MEMBERS,
    AccessRole.BOUNCER: _OF_BOUNCERS,
    AccessRole.CONTROLLER: _PEOPLE | _OF_THE_CONTROLLER,
}


def check(by: Principal, command: Command[object], antivirus_servers: Container[str]) -> None:
    """Raise `Forbidden` if the principal may not use this command.

    `antivirus_servers`: the members that the policy has as anti-virus servers, by path.
    """
    if type(command) not in COMMANDS_BY_ROLE[by.role]:
        raise Forbidden(f"{type(command).__name__} is not permitted for the role {by.role.value}")
    if isinstance(command, tokens.AddToken) and command.role not in BEARER_ROLES:
        raise Forbidden(f"no token can have the role {command.role.value}")
    if by.role is AccessRole.MEMBER:
        _check_member(by.name, command, antivirus_servers)
    if by.role is AccessRole.SENSOR:
        for origin in _origins(command):
            _check_origin(by.name, origin)


def _check_member(path: str, command: Command[object], antivirus_servers: Container[str]) -> None:
    """A member, known by its path POOL.NAME, may ask only about itself and its own pool."""
    pool, _, name = path.partition(".")
    match command:
        case members.ReportMember(about) | members.ReadAgentSettings(about):
            own = path
        case members.ReadPoolSettings(about):
            own = pool
        case antivirus.ReportAntivirus(about):
            own = name
        case _:
            return
    if about != own:
        raise Forbidden(f"{path} may ask about {own} only")
    if isinstance(command, antivirus.ReportAntivirus) and path not in antivirus_servers:
        raise Forbidden(f"{path} is not an anti-virus server of the policy")


def _check_origin(name: str, origin: str) -> None:
    """A sensor makes decisions under its own name, or `NAME:WHAT`."""
    if origin.partition(":")[0] != name:
        raise Forbidden(f"{name} may make decisions as {name} only, not as {origin}")


def _origins(command: Command[object]) -> set[str]:
    match command:
        case suspicion.ListOrigin(origin) | suspicion.EndDecisions(_, origin):
            return {origin}
        case suspicion.MakeDecisions(requests):
            return {request.origin for request in requests}
        case _:
            return set()
