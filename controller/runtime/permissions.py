"""Which role may ask for what, and about whom. Pure; the API turns a refusal into 403."""

from collections.abc import Mapping

from controller.runtime.commands.antivirus import ReadFleet, ReportAntivirus
from controller.runtime.commands.base import Command
from controller.runtime.commands.members import (
    DrainMember,
    ListPools,
    NoteCounts,
    ReadAgentSettings,
    ReadPoolSettings,
    ReportMember,
)
from controller.runtime.commands.policy import (
    ApplyPolicy,
    ExplainCookie,
    ExplainRule,
    PlanPolicy,
    ReadConsent,
    ReadFlows,
    ReadPolicy,
)
from controller.runtime.commands.sessions import (
    CutDecided,
    CutOrphans,
    NoteConnections,
    NoteForgotten,
    ReadCountsWanted,
    ReadSessionWork,
    WakeUp,
)
from controller.runtime.commands.suspicion import (
    AllowSource,
    CountPackets,
    EndAllowance,
    EndDecisions,
    ExplainSource,
    FindDecisions,
    ListAllowances,
    ListBans,
    ListDecisions,
    ListOrigin,
    MakeDecisions,
    ReadDecision,
    ReadPackets,
    ReadReceipt,
    ReportEvidence,
)
from controller.runtime.commands.switches import ReadSettled, ReadStatus
from controller.runtime.commands.tokens import AddToken, EndToken, IdentifyBearer, ListTokens
from controller.runtime.principals import BEARER_ROLES, AccessRole, Principal

Kinds = frozenset[type[Command[object]]]


class Forbidden(Exception):
    """The role does not permit the command, or not about this subject; the text says which it permits."""


_OF_SENSORS: Kinds = frozenset({ReportEvidence, ListOrigin, MakeDecisions, EndDecisions})
_OF_MEMBERS: Kinds = frozenset(
    {ReportMember, ReadAgentSettings, ReadPoolSettings, ReportEvidence, ReportAntivirus}
)
_OF_BOUNCERS: Kinds = frozenset({ListBans})
_OF_OPERATORS: Kinds = frozenset(
    {
        *(ApplyPolicy, PlanPolicy, ReadPolicy, ReadFlows, ExplainCookie, ExplainRule, ReadConsent),
        *(ReadStatus, ReadSettled, DrainMember, ListPools, ReadFleet),
        *(ListDecisions, FindDecisions, ReadDecision, ReadReceipt, CountPackets, ReadPackets),
        *(ExplainSource, AllowSource, EndAllowance, ListAllowances, AddToken, EndToken, ListTokens),
    }
)
_OF_THE_CONTROLLER: Kinds = frozenset(
    {
        *(IdentifyBearer, NoteCounts, NoteConnections, NoteForgotten),
        *(ReadSessionWork, ReadCountsWanted, CutOrphans, CutDecided, WakeUp),
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


def check(by: Principal, command: Command[object]) -> None:
    """Raise `Forbidden` if the principal may not ask for this."""
    if type(command) not in COMMANDS_BY_ROLE[by.role]:
        raise Forbidden(f"{type(command).__name__} is not permitted to the role {by.role.value}")
    if isinstance(command, AddToken) and command.role not in BEARER_ROLES:
        raise Forbidden(f"no token can have the role {command.role.value}")
    if by.role is AccessRole.MEMBER:
        _check_member(by.name, command)
    if by.role is AccessRole.SENSOR:
        for origin in _origins(command):
            _check_origin(by.name, origin)


def _check_member(path: str, command: Command[object]) -> None:
    """A member, known by its path POOL.NAME, asks about itself and its own pool only."""
    pool, _, name = path.partition(".")
    match command:
        case ReportMember(about) | ReadAgentSettings(about):
            own = path
        case ReadPoolSettings(about):
            own = pool
        case ReportAntivirus(about):
            own = name
        case _:
            return
    if about != own:
        raise Forbidden(f"{path} has to do with {own} only")


def _check_origin(name: str, origin: str) -> None:
    """A sensor decides under its own name, or `NAME:WHAT`."""
    if origin.partition(":")[0] != name:
        raise Forbidden(f"{name} decides as {name} only, not as {origin}")


def _origins(command: Command[object]) -> set[str]:
    match command:
        case ListOrigin(origin) | EndDecisions(_, origin):
            return {origin}
        case MakeDecisions(requests):
            return {request.origin for request in requests}
        case _:
            return set()
