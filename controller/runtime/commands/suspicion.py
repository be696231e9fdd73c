"""Commands about sources: evidence, decisions and the allow-list."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.policy.model import Network
from controller.runtime.commands.base import Change, Command
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision, Request
from controller.suspicion.ledger import LedgerOutcome
from controller.suspicion.scores import Evidence
from controller.sync.receipts import SwitchReceipt


@dataclass(frozen=True, slots=True)
class DecisionChoice:
    """Selects decisions; an empty or None field selects all."""

    origin: str = ""
    source: Network | None = None
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class DecisionList:
    """`count`: how many were selected; the newest are listed. `whole`, `most`: current and maximum total."""

    decisions: tuple[Decision, ...]
    count: int
    whole: int
    most: int
    evicted: int
    refused: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a decision must be in force, and whether each switch holds it."""

    cookie: int
    switches: tuple[SwitchReceipt, ...]


@dataclass(frozen=True, slots=True)
class NotInForce:
    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    fact: Evidence
    at_utc: float


@dataclass(frozen=True, slots=True)
class OpenDifferences:
    """How a switch differs from what it should hold."""

    switch: str
    count: int
    foreign_flows: int


@dataclass(frozen=True, slots=True)
class SourceExplanation:
    """All that is known about a source. `party`: whose score it is; `owner`: the tenant with the address.

    `differences`: open ones, of each switch that has some; they may lead the source's packets elsewhere.
    """

    source: Network
    party: Network
    owner: str
    score: float
    unproven: float
    offences: int
    evidence: tuple[EvidenceLine, ...]
    allowance: Allowance | None
    decisions: tuple[Decision, ...]
    differences: tuple[OpenDifferences, ...] = ()


@dataclass(frozen=True, slots=True)
class MakeDecisions(Change[LedgerOutcome]):
    """Each is accepted or refused separately. A decision with the same scope and origin is renewed."""

    requests: tuple[Request, ...]

    @property
    def subject(self) -> str:
        if len(self.requests) != 1:
            return f"{len(self.requests)} decisions"
        return f"{self.requests[0].action.value} {self.requests[0].scope}"

    def refusal(self, result: object) -> str:
        if isinstance(result, LedgerOutcome) and result.refused and not result.accepted:
            return result.refused[0][1].error
        return ""


@dataclass(frozen=True, slots=True)
class EndDecisions(Change[int]):
    """End decisions, only of this origin if one is given; return how many ended."""

    numbers: tuple[int, ...]
    origin: str = ""

    @property
    def subject(self) -> str:
        return f"decision {self.numbers[0]}" if len(self.numbers) == 1 else f"{len(self.numbers)} decisions"


@dataclass(frozen=True, slots=True)
class ListDecisions(Command[DecisionList]):
    choice: DecisionChoice
    limit: int


@dataclass(frozen=True, slots=True)
class FindDecisions(Command[tuple[int, ...]]):
    """Return the numbers of the selected decisions."""

    choice: DecisionChoice


@dataclass(frozen=True, slots=True)
class ListOrigin(Command[tuple[Decision, ...]]):
    """List all decisions of an origin."""

    origin: str


@dataclass(frozen=True, slots=True)
class ListBans(Command[tuple[Decision, ...]]):
    """List the decisions that a bouncer can apply; sources on the allow-list are left out."""


@dataclass(frozen=True, slots=True)
class ReadDecision(Command[Decision | None]):
    number: int


@dataclass(frozen=True, slots=True)
class ReadReceipts(Command[Mapping[int, Receipt | NotInForce] | None]):
    """Return, for decisions by number, what switches hold of them, once.

    `look_up`: of `CountFlows`. None: not every switch has answered; `is_last`: do not wait for them.
    """

    numbers: tuple[int, ...]
    look_up: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class ReadAllowanceReceipts(Command[Mapping[int, Receipt] | None]):
    """Return the same for entries of the allow-list; those that are no longer in it are left out."""

    numbers: tuple[int, ...]
    look_up: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class ReportEvidence(Command[None]):
    """Record evidence about sources, and make the decisions that the policy asks for."""

    facts: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ExplainSource(Command[SourceExplanation]):
    source: Network


@dataclass(frozen=True, slots=True)
class AllowSource(Change[Allowance]):
    """Let a source pass regardless of any decision. Duration 0: it does not expire."""

    source: Network
    comment: str
    duration_s: float = 0.0

    @property
    def subject(self) -> str:
        return f"{self.source}: {self.comment}"


@dataclass(frozen=True, slots=True)
class EndAllowance(Change[Allowance | None]):
    """None: no allowance has this number."""

    number: int

    @property
    def subject(self) -> str:
        return f"entry {self.number}"


@dataclass(frozen=True, slots=True)
class ListAllowances(Command[tuple[Allowance, ...]]):
    """List the allow-list."""
