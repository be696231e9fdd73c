"""Handles the commands about the policy."""

from controller.policy.model import Protocol
from controller.runtime import explain
from controller.runtime.accepted import Accepted
from controller.runtime.commands.policy import (
    ApplyPolicy,
    ExplainCookie,
    ExplainRule,
    Explanation,
    NotExplained,
    PlanPolicy,
    PolicyPlan,
    PolicyRevision,
    ReadConsent,
    ReadFlows,
    ReadPolicy,
    TenantConsent,
)
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers
from controller.topology.homes import moved_homes

_SMTP_PORT = 25


def apply_policy(core: RuntimeCore, command: ApplyPolicy, context: Context) -> PolicyRevision:
    accepted = core.submit(context.now, command.file, command.text, context.by)
    return PolicyRevision(accepted.revision, accepted.file)


def plan_policy(core: RuntimeCore, command: PlanPolicy, context: Context) -> PolicyPlan:
    policy, states = core.preview(command.file, command.text)
    sends = {name: str(core.plan_for(name, state)) for name, state in states.items()}
    warnings = moved_homes(core.accepted.policy, policy) if core.accepted else ()
    return PolicyPlan(policy, states, core.accepted, sends, tuple(warnings))


def read_policy(core: RuntimeCore, command: ReadPolicy, context: Context) -> PolicyRevision | None:
    return PolicyRevision(core.accepted.revision, core.accepted.file) if core.accepted else None


def read_flows(core: RuntimeCore, command: ReadFlows, context: Context) -> Accepted | None:
    return core.accepted


def explain_cookie(
    core: RuntimeCore, command: ExplainCookie, context: Context
) -> Explanation | NotExplained | None:
    return explain.explain_cookie(core.accepted, command.cookie) if core.accepted else None


def explain_rule(
    core: RuntimeCore, command: ExplainRule, context: Context
) -> Explanation | NotExplained | None:
    return explain.explain_rule(core.accepted, command.rule) if core.accepted else None


def read_consent(core: RuntimeCore, command: ReadConsent, context: Context) -> TenantConsent | None:
    tenants = core.accepted.policy.tenants if core.accepted else ()
    tenant = next((each for each in tenants if each.name == command.tenant), None)
    if tenant is None:
        return None
    mail = tenant.mail.servers if tenant.mail else ()
    ports: dict[str, set[int]] = {str(server): {_SMTP_PORT} for server in mail}
    for service in tenant.services:
        for server in service.servers if service.protocol is Protocol.TCP else ():
            ports.setdefault(str(server), set()).update(service.ports)
    return TenantConsent(
        tenant.name,
        tenant.may_be_learned,
        {server: tuple(sorted(ports[server])) for server in sorted(ports)},
        tuple(map(str, tenant.prefixes)),
    )


HANDLERS: Handlers = {
    ApplyPolicy: apply_policy,
    PlanPolicy: plan_policy,
    ReadPolicy: read_policy,
    ReadFlows: read_flows,
    ExplainCookie: explain_cookie,
    ExplainRule: explain_rule,
    ReadConsent: read_consent,
}
