"""Handles the commands about the policy."""

from dataclasses import replace

from controller.pipeline.flows import Flow
from controller.plans.state import PlanOutdated, what_moved
from controller.plans.switches import SwitchPlan
from controller.policy.model import Protocol
from controller.policy.parse import parse_policy
from controller.runtime import explain
from controller.runtime.accepted import Accepted
from controller.runtime.commands.policy import (
    ApplyPolicy,
    ExplainCookie,
    ExplainedFlow,
    ExplainRule,
    Explanation,
    ListFlows,
    NotExplained,
    PlanPolicy,
    PolicyApplied,
    PolicyDelivery,
    PolicyPlan,
    PolicyRevision,
    ReadConsent,
    ReadDelivery,
    ReadFlows,
    ReadPolicy,
    TenantConsent,
)
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers
from controller.runtime.planning import describe, flow_changes
from controller.runtime.prospect import Prospect
from controller.runtime.submission import Terms

_SMTP_PORT = 25


def apply_policy(core: RuntimeCore, command: ApplyPolicy, context: Context) -> PolicyApplied:
    plans: list[PolicyPlan] = []

    def review(prospect: Prospect, switches: tuple[SwitchPlan, ...]) -> None:
        if command.planned or command.is_described:
            plan = _describe(core, command, prospect, switches)
            if command.planned and (moved := what_moved(command.planned, plan.state)):
                raise PlanOutdated(moved)
            plans.append(plan)

    terms = Terms(review, context.reason if command.is_unproved else "")
    accepted = core.submit(context.now, command.file, command.text, context.by, terms)
    plan = plans[0] if plans and command.is_described else None
    return PolicyApplied(accepted.revision, accepted.file, plan)


def _describe(
    core: RuntimeCore,
    command: ApplyPolicy | PlanPolicy,
    prospect: Prospect,
    switches: tuple[SwitchPlan, ...],
) -> PolicyPlan:
    return describe(core.in_force.present, command, prospect, switches, core.encoder.describe)


def plan_policy(core: RuntimeCore, command: PlanPolicy, context: Context) -> PolicyPlan:
    prospect = core.foresight.foresee(context.now, parse_policy(command.text, command.file))
    switches = core.foresight.rehearse(context.now, prospect)
    plan = _describe(core, command, prospect, switches)
    if not command.has_flows:
        return plan
    return replace(plan, flows=flow_changes(core.in_force.present, prospect, switches, core.encoder))


def read_delivery(core: RuntimeCore, command: ReadDelivery, context: Context) -> PolicyDelivery:
    deliveries = core.switches.deliveries
    return PolicyDelivery(deliveries.revision, deliveries.rows())


def read_policy(core: RuntimeCore, command: ReadPolicy, context: Context) -> PolicyRevision | None:
    return PolicyRevision(core.accepted.revision, core.accepted.file) if core.accepted else None


def read_flows(core: RuntimeCore, command: ReadFlows, context: Context) -> Accepted | None:
    return core.accepted


def list_flows(core: RuntimeCore, command: ListFlows, context: Context) -> tuple[ExplainedFlow, ...]:
    if core.accepted is None:
        return ()
    return tuple(explain.list_flows(core.accepted, command.switch, _to_row(core)))


def _to_row(core: RuntimeCore) -> explain.ToRow:
    def to_row(switch: str, text: str, flow: Flow) -> ExplainedFlow:
        wire = core.encoder.flow(flow)
        return ExplainedFlow(switch, text, flow.cookie, wire, core.used_parts.of(switch, (wire,)))

    return to_row


def explain_cookie(
    core: RuntimeCore, command: ExplainCookie, context: Context
) -> Explanation | NotExplained | None:
    return explain.explain_cookie(core.accepted, command.cookie, _to_row(core)) if core.accepted else None


def explain_rule(
    core: RuntimeCore, command: ExplainRule, context: Context
) -> Explanation | NotExplained | None:
    return explain.explain_rule(core.accepted, command.rule, _to_row(core)) if core.accepted else None


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
    ReadDelivery: read_delivery,
    ReadFlows: read_flows,
    ListFlows: list_flows,
    ExplainCookie: explain_cookie,
    ExplainRule: explain_rule,
    ReadConsent: read_consent,
}
