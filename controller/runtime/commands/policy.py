"""Commands about the policy: apply, plan, read and explain it."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.pipeline.flows import SwitchState
from controller.policy.model import Policy
from controller.runtime.accepted import Accepted
from controller.runtime.commands.base import Change, Command


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
    """Rules, and their flows."""

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
class ApplyPolicy(Change[PolicyRevision]):
    """Check, compile, store and apply a policy.

    Raises `ConfigErrors`, `CompileError` or `StoreError`; nothing has changed in that case.
    """

    file: str
    text: str

    @property
    def subject(self) -> str:
        return self.file


@dataclass(frozen=True, slots=True)
class PlanPolicy(Command[PolicyPlan]):
    """Return what `ApplyPolicy` would change, and change nothing. Raises `ConfigErrors` or `CompileError`."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadPolicy(Command[PolicyRevision | None]):
    """None: no policy has been accepted yet. The same holds for the commands below."""


@dataclass(frozen=True, slots=True)
class ReadFlows(Command[Accepted | None]):
    """Return what each switch must hold."""


@dataclass(frozen=True, slots=True)
class ExplainCookie(Command[Explanation | NotExplained | None]):
    """Return the rule of the policy whose flows have a cookie."""

    cookie: int


@dataclass(frozen=True, slots=True)
class ExplainRule(Command[Explanation | NotExplained | None]):
    """Return the flows of a rule (`tenants.acme.mail`) and of the rules below it."""

    rule: str


@dataclass(frozen=True, slots=True)
class ReadConsent(Command[TenantConsent | None]):
    """Return whether a tenant consents to learning personas from its servers. None: no such tenant."""

    tenant: str
