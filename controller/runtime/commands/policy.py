"""Commands about the policy: apply, plan, read and explain it."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy
from controller.runtime.accepted import Accepted
from controller.runtime.commands.base import Command


@dataclass(frozen=True, slots=True)
class PolicyRevision:
    revision: int
    file: str


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """What a policy would change. `sends`: what each switch would be sent, in words."""

    policy: Policy
    states: Mapping[str, SwitchState]
    accepted: Accepted | None
    sends: Mapping[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """`place`: file:line:column in the policy."""

    rule: str
    place: str


@dataclass(frozen=True, slots=True)
class ExplainedFlow:
    switch: str
    text: str
    cookie: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Rules, and the flows that they asked for."""

    revision: int
    rules: tuple[ExplainedRule, ...]
    flows: tuple[ExplainedFlow, ...]


@dataclass(frozen=True, slots=True)
class NotExplained:
    reason: str


@dataclass(frozen=True, slots=True)
class TenantConsent:
    """`ports`: TCP ports by address of a tenant's servers."""

    tenant: str
    may_be_learned: bool
    ports: Mapping[str, tuple[int, ...]]
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApplyPolicy(Command[PolicyRevision]):
    """Check, compile, store and carry out a policy.

    Raises `ConfigErrors`, `CompileError` or `StoreError`; nothing has changed then.
    """

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class PlanPolicy(Command[PolicyPlan]):
    """Say what `ApplyPolicy` would change, and change nothing. Raises `ConfigErrors` or `CompileError`."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadPolicy(Command[PolicyRevision | None]):
    """None: no policy has been accepted yet. So in the commands below."""


@dataclass(frozen=True, slots=True)
class ReadFlows(Command[Accepted | None]):
    """Read what each switch must hold."""


@dataclass(frozen=True, slots=True)
class ExplainCookie(Command[Explanation | NotExplained | None]):
    """Say which rule of the policy asked for the flows with a cookie."""

    cookie: int


@dataclass(frozen=True, slots=True)
class ExplainRule(Command[Explanation | NotExplained | None]):
    """Name the flows that a rule (`tenants.acme.mail`), or a rule below it, asked for."""

    rule: str


@dataclass(frozen=True, slots=True)
class ReadConsent(Command[TenantConsent | None]):
    """Say whether a tenant agrees that personas are learned from its servers. None: no such tenant."""

    tenant: str
