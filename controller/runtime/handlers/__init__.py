"""The one handler of each command, by the command's type."""

from collections.abc import Callable, Mapping
from typing import Any

from controller.runtime.commands.antivirus import (
    ReadFleet,
    ReportAntivirus,
)
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
from controller.runtime.commands.switches import (
    ReadSettled,
    ReadStatus,
)
from controller.runtime.commands.tokens import (
    AddToken,
    EndToken,
    IdentifyBearer,
    ListTokens,
)
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers import antivirus, members, policy, sessions, suspicion, switches, tokens

# What a handler takes and returns is its own command and that command's result, which no type of Python
# can say of a table; a test says it.
Handler = Callable[[RuntimeCore, Any, Context], Any]
HANDLERS: Mapping[type[Command[object]], Handler] = {
    ApplyPolicy: policy.apply_policy,
    PlanPolicy: policy.plan_policy,
    ReadPolicy: policy.read_policy,
    ReadFlows: policy.read_flows,
    ExplainCookie: policy.explain_cookie,
    ExplainRule: policy.explain_rule,
    ReadConsent: policy.read_consent,
    ReadSettled: switches.read_settled,
    ReadStatus: switches.read_status,
    DrainMember: members.drain_member,
    ReportMember: members.report_member,
    ReadAgentSettings: members.read_agent_settings,
    ReadPoolSettings: members.read_pool_settings,
    NoteCounts: members.note_counts,
    ListPools: members.list_pools,
    MakeDecisions: suspicion.make_decisions,
    EndDecisions: suspicion.end_decisions,
    ListDecisions: suspicion.list_decisions,
    FindDecisions: suspicion.find_decisions,
    ListOrigin: suspicion.list_origin,
    ListBans: suspicion.list_bans,
    ReadDecision: suspicion.read_decision,
    ReadReceipt: suspicion.read_receipt,
    CountPackets: suspicion.count_packets,
    ReadPackets: suspicion.read_packets,
    ReportEvidence: suspicion.report_evidence,
    ExplainSource: suspicion.explain_source,
    AllowSource: suspicion.allow_source,
    EndAllowance: suspicion.end_allowance,
    ListAllowances: suspicion.list_allowances,
    AddToken: tokens.add_token,
    EndToken: tokens.end_token,
    ListTokens: tokens.list_tokens,
    IdentifyBearer: tokens.identify_bearer,
    ReportAntivirus: antivirus.report_antivirus,
    ReadFleet: antivirus.read_fleet,
    ReadSessionWork: sessions.read_session_work,
    ReadCountsWanted: sessions.read_counts_wanted,
    NoteConnections: sessions.note_connections,
    CutOrphans: sessions.cut_orphans,
    CutDecided: sessions.cut_decided,
    NoteForgotten: sessions.note_forgotten,
    WakeUp: sessions.wake_up,
}
