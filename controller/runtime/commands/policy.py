"""Commands about the policy: apply, plan, read and explain it."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.wire.plans import PlannedState
from controller.plans.changes import PolicyChange
from controller.plans.sessions import SessionForecast
from controller.plans.switches import SwitchPlan
from controller.pools.conntrack import Counts
from controller.runtime.accepted import Accepted
from controller.runtime.commands.base import Change, Command
from controller.sync.parts import Part
from controller.sync.state import WireFlow


@dataclass(frozen=True, slots=True)
class PolicyRevision:
    revision: int
    file: str


@dataclass(frozen=True, slots=True)
class FlowChanges:
    """What one switch would be sent, in words: flows, groups and meters.

    `repaired`: what others have changed, and what becomes of it. Of very many, only some.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """What accepting a policy does.

    `conditions`: what is not as usual in the network, by subject. `dropped`: switches that are no longer in
    the policy. `state`: what a saved plan is compared with. `flows`: by switch; None: not asked for.
    """

    changes: tuple[PolicyChange, ...]
    conditions: Mapping[str, str]
    sessions: SessionForecast
    switches: tuple[SwitchPlan, ...]
    dropped: tuple[str, ...]
    state: PlannedState
    warnings: tuple[str, ...]
    flows: Mapping[str, FlowChanges] | None = None


@dataclass(frozen=True, slots=True)
class PolicyApplied:
    """`plan`: what was done, if it was asked for."""

    revision: int
    file: str
    plan: PolicyPlan | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """`planned`, `sent`: in brief. `decisions_sent`: flows and meters of decisions sent meanwhile.

    `is_done`: the switch holds the policy's flows, or has held them since; nothing is added after that.
    `differences`: between the two, in words; while the switch was not connected, nothing could be planned.
    """

    switch: str
    planned: str
    sent: str
    decisions_sent: int
    was_known: bool
    is_done: bool
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyDelivery:
    """What switches were sent for the revision, held against the plan."""

    revision: int
    switches: tuple[DeliveryRow, ...]


@dataclass(frozen=True, slots=True)
class ExplainedRule:
    """`place`: file:line:column in the policy."""

    rule: str
    place: str


@dataclass(frozen=True, slots=True)
class ExplainedFlow:
    """`wire`: as the switch must hold it. `parts`: the groups and meters that it names."""

    switch: str
    text: str
    cookie: int
    wire: WireFlow
    parts: frozenset[Part] = frozenset()


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
class ApplyPolicy(Change[PolicyApplied]):
    """Check, compile, store and apply a policy.

    `planned`: the state for which a saved plan was made. `is_described`: return the plan as well; `counts`
    are the open sessions for it. `is_unproved`: do not wait for the proof; the reason must not be empty.
    Raises `ConfigErrors`, `CompileError`, `StoreError`, `ProofRefused`, or `PlanOutdated` if the state has
    moved on since; nothing has changed in that case. Raises `ProofPending` until the policy is proved: then
    the same command is to be sent again.
    """

    file: str
    text: str
    planned: PlannedState | None = None
    is_described: bool = False
    counts: Counts | None = None
    is_unproved: bool = False

    @property
    def subject(self) -> str:
        return f"{self.file}, without a proof" if self.is_unproved else self.file


@dataclass(frozen=True, slots=True)
class PlanPolicy(Command[PolicyPlan]):
    """Return what `ApplyPolicy` would do now, and change nothing. Raises `ConfigErrors` or `CompileError`."""

    file: str
    text: str
    has_flows: bool = True
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class ReadDelivery(Command[PolicyDelivery]):
    """Return what switches were sent for the last accepted policy."""


@dataclass(frozen=True, slots=True)
class ReadPolicy(Command[PolicyRevision | None]):
    """None: no policy has been accepted yet. The same holds for the commands below."""


@dataclass(frozen=True, slots=True)
class ReadFlows(Command[Accepted | None]):
    """Return what each switch must hold."""


@dataclass(frozen=True, slots=True)
class ListFlows(Command[tuple[ExplainedFlow, ...]]):
    """Return each flow that a switch must hold for the policy, in the order in which packets meet them.

    Empty: all switches.
    """

    switch: str


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
