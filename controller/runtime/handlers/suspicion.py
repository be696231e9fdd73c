"""Handles the commands about sources: evidence, decisions and the allow-list."""

from collections.abc import Iterator, Mapping

from controller.ids import cookie_of
from controller.policy.model import Action
from controller.runtime.commands.suspicion import (
    AllowSource,
    CountPackets,
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
    ReadDecision,
    ReadPackets,
    ReadReceipt,
    Receipt,
    ReceiptRow,
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


def read_receipt(core: RuntimeCore, command: ReadReceipt, context: Context) -> Receipt | NotInForce:
    decision = core.suspicion.ledger.by_number.get(command.number)
    return _receipt(core, decision) if decision else NotInForce("it has ended")


def _receipt(core: RuntimeCore, decision: Decision) -> Receipt | NotInForce:
    scope = decision.request.scope
    winner = core.suspicion.ledger.in_force(scope)
    if winner and winner is not decision:
        return NotInForce(f"decision {winner.number} is stronger")
    by_name = core.switches.by_name()
    rows = []
    for switch, keys in sorted(core.suspicion.keys_of(scope).items()):
        record = by_name.get(switch)
        held = record.session.overlay.installed if record and record.channel else {}
        rows.append(ReceiptRow(switch, len(keys), all(key in held for key in keys)))
    return Receipt(cookie_of(_rule_of(decision.number)), tuple(rows))


def count_packets(core: RuntimeCore, command: CountPackets, context: Context) -> None:
    core.switches.ask_packets(_rule_of(command.number))


def read_packets(core: RuntimeCore, command: ReadPackets, context: Context) -> Mapping[str, int] | None:
    return core.switches.packets(_rule_of(command.number))


def _rule_of(number: int) -> str:
    return f"decisions.{number}"


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
        tuple((each, _receipt(core, each)) for each in suspicion.ledger.about(source)),
    )


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
    ReadReceipt: read_receipt,
    CountPackets: count_packets,
    ReadPackets: read_packets,
    ReportEvidence: report_evidence,
    ExplainSource: explain_source,
    AllowSource: allow_source,
    EndAllowance: end_allowance,
    ListAllowances: list_allowances,
}
