"""Commands about sources: evidence, decisions and the allow-list."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.policy.model import Network
from controller.runtime.commands.base import Change, Command
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision, Request
from controller.suspicion.ledger import LedgerOutcome
from controller.suspicion.scores import Evidence


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
class ReceiptRow:
    """`flows`: how many a switch has for the decision."""

    switch: str
    flows: int
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a decision is in force."""

    cookie: int
    switches: tuple[ReceiptRow, ...]


@dataclass(frozen=True, slots=True)
class NotInForce:
    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    fact: Evidence
    at_utc: float


@dataclass(frozen=True, slots=True)
class SourceExplanation:
    """All that is known about a source. `party`: whose score it is; `owner`: the tenant with the address."""

    source: Network
    party: Network
    owner: str
    score: float
    unproven: float
    offences: int
    evidence: tuple[EvidenceLine, ...]
    allowance: Allowance | None
    decisions: tuple[tuple[Decision, Receipt | NotInForce], ...]


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
class ReadReceipt(Command[Receipt | NotInForce]):
    """Return on which switches a decision is in force."""

    number: int


@dataclass(frozen=True, slots=True)
class CountPackets(Command[None]):
    """Ask the switches for the packets that matched a decision; `ReadPackets` returns the answer."""

    number: int


@dataclass(frozen=True, slots=True)
class ReadPackets(Command[Mapping[str, int] | None]):
    """Return packets by switch, once. None: not every switch has replied yet."""

    number: int


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
