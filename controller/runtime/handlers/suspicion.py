"""Handles the commands about sources: evidence, decisions and the allow-list."""

from collections.abc import Iterator, Mapping

from controller.drift.ledger import DriftRecord
from controller.drift.model import DriftChange, DriftKind
from controller.ids import cookie_of
from controller.policy.model import Action, Network
from controller.runtime.commands.suspicion import (
    AllowSource,
    DecisionChoice,
    DecisionList,
    EndAllowance,
    EndDecisions,
    EvidenceLine,
    ExplainSource,
    FindDecisions,
    ListAllowances,
    ListBans,
    ListDecisions,
    ListOrigin,
    MakeDecisions,
    NotInForce,
    OpenDifferences,
    ReadAllowanceReceipts,
    ReadDecision,
    ReadReceipts,
    Receipt,
    ReportEvidence,
    SourceExplanation,
)
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision, Scope
from controller.suspicion.ledger import LedgerOutcome
from controller.suspicion.scores import source_of
from controller.sync.receipts import Sighting, SwitchReceipt, receipt_of

_OF_BOUNCERS = (Action.DECOY, Action.DROP)


def make_decisions(core: RuntimeCore, command: MakeDecisions, context: Context) -> LedgerOutcome:
    return core.suspicion.add(context.now, context.utc, command.requests, context.by)


def end_decisions(core: RuntimeCore, command: EndDecisions, context: Context) -> int:
    known = core.suspicion.ledger.by_number
    numbers = [
        number
        for number in command.numbers
        if number in known and command.origin in ("", known[number].request.origin)
    ]
    return len(core.suspicion.delete(context.now, numbers, context.by).ended)


def list_decisions(core: RuntimeCore, command: ListDecisions, context: Context) -> DecisionList:
    found, ledger = list(_chosen(core, command.choice)), core.suspicion.ledger
    return DecisionList(
        tuple(found[-command.limit :]),
        len(found),
        len(ledger),
        ledger.caps.whole,
        core.suspicion.evicted,
        core.suspicion.refused,
    )


def find_decisions(core: RuntimeCore, command: FindDecisions, context: Context) -> tuple[int, ...]:
    return tuple(decision.number for decision in _chosen(core, command.choice))


def _chosen(core: RuntimeCore, choice: DecisionChoice) -> Iterator[Decision]:
    for decision in core.suspicion.ledger.by_number.values():
        request = decision.request
        if (
            choice.origin in ("", request.origin)
            and choice.source in (None, request.scope.source)
            and choice.tenant in ("", request.scope.tenant)
        ):
            yield decision


def list_origin(core: RuntimeCore, command: ListOrigin, context: Context) -> tuple[Decision, ...]:
    return tuple(core.suspicion.ledger.of_origin(command.origin))


def list_bans(core: RuntimeCore, command: ListBans, context: Context) -> tuple[Decision, ...]:
    ledger, allowed = core.suspicion.ledger, core.suspicion.allowed
    whole = (scope for scope in ledger.scopes() if scope == Scope(scope.source))
    in_force = (ledger.in_force(scope) for scope in whole if not allowed.covering(scope.source))
    return tuple(decision for decision in in_force if decision and _is_ban(decision))


def _is_ban(decision: Decision) -> bool:
    return decision.request.action in _OF_BOUNCERS and not decision.request.is_simulated


def read_decision(core: RuntimeCore, command: ReadDecision, context: Context) -> Decision | None:
    return core.suspicion.ledger.by_number.get(command.number)


def read_receipts(
    core: RuntimeCore, command: ReadReceipts, context: Context
) -> Mapping[int, Receipt | NotInForce] | None:
    seen = core.switches.look_ups.take(command.look_up, is_last=command.is_last)
    return None if seen is None else {number: _receipt(core, number, seen) for number in command.numbers}


def _receipt(core: RuntimeCore, number: int, seen: Mapping[str, Sighting]) -> Receipt | NotInForce:
    decision = core.suspicion.ledger.by_number.get(number)
    if decision is None:
        return NotInForce("it has ended")
    scope = decision.request.scope
    winner = core.suspicion.ledger.in_force(scope)
    if winner and winner is not decision:
        return NotInForce(f"decision {winner.number} is stronger")
    return Receipt(cookie_of(f"decisions.{number}"), _on_switches(core, scope, seen))


def read_allowance_receipts(
    core: RuntimeCore, command: ReadAllowanceReceipts, context: Context
) -> Mapping[int, Receipt] | None:
    seen = core.switches.look_ups.take(command.look_up, is_last=command.is_last)
    if seen is None:
        return None
    known = core.suspicion.allowed.by_number
    return {
        number: Receipt(cookie_of(f"allow.{number}"), _on_switches(core, known[number].source, seen))
        for number in command.numbers
        if number in known
    }


def _on_switches(
    core: RuntimeCore, what: Scope | Network, seen: Mapping[str, Sighting]
) -> tuple[SwitchReceipt, ...]:
    by_name = core.switches.by_name()
    rows = []
    for switch, keys in sorted(core.suspicion.keys_of(what).items()):
        record = by_name.get(switch)
        flows = record.session.overlay.flows if record else {}
        wanted = [flows[key] for key in keys if key in flows]
        rows.append(receipt_of(switch, wanted, seen.get(switch), core.used_parts.of(switch, wanted)))
    return tuple(rows)


def report_evidence(core: RuntimeCore, command: ReportEvidence, context: Context) -> None:
    core.suspicion.on_evidence(context.now, context.utc, command.facts)


def explain_source(core: RuntimeCore, command: ExplainSource, context: Context) -> SourceExplanation:
    source, suspicion = command.source, core.suspicion
    party = source_of(source.network_address) if source.prefixlen == source.max_prefixlen else source
    record = suspicion.scores.by_source.get(party)
    points, unproven = suspicion.scores.score_at(context.now, party)
    lines = record.lines if record else []
    return SourceExplanation(
        source,
        party,
        suspicion.owner(source),
        points,
        unproven,
        record.offences if record else 0,
        tuple(EvidenceLine(fact, context.utc - (context.now - when)) for when, fact in lines),
        suspicion.allowed.covering(source),
        tuple(suspicion.ledger.about(source)),
        tuple(_open_differences(core)),
    )


def _open_differences(core: RuntimeCore) -> Iterator[OpenDifferences]:
    for name in sorted(core.switches.by_name()):
        if count := core.drift.ledger.count_open(name):
            yield OpenDifferences(name, count, sum(map(_is_foreign_flow, core.drift.ledger.open_on(name))))


def _is_foreign_flow(record: DriftRecord) -> bool:
    found = record.difference
    return found.kind is DriftKind.FLOW and found.change is DriftChange.FOREIGN


def allow_source(core: RuntimeCore, command: AllowSource, context: Context) -> Allowance:
    return core.suspicion.allow(context, command.source, command.comment, command.duration_s)


def end_allowance(core: RuntimeCore, command: EndAllowance, context: Context) -> Allowance | None:
    return core.suspicion.disallow(context.now, command.number, context.by)


def list_allowances(core: RuntimeCore, command: ListAllowances, context: Context) -> tuple[Allowance, ...]:
    return tuple(core.suspicion.allowed.by_number.values())


HANDLERS: Handlers = {
    MakeDecisions: make_decisions,
    EndDecisions: end_decisions,
    ListDecisions: list_decisions,
    FindDecisions: find_decisions,
    ListOrigin: list_origin,
    ListBans: list_bans,
    ReadDecision: read_decision,
    ReadReceipts: read_receipts,
    ReadAllowanceReceipts: read_allowance_receipts,
    ReportEvidence: report_evidence,
    ExplainSource: explain_source,
    AllowSource: allow_source,
    EndAllowance: end_allowance,
    ListAllowances: list_allowances,
}
