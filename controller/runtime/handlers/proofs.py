"""Handles the commands about proofs."""

from collections.abc import Iterator

from controller.drift.assumptions import is_against_proof
from controller.runtime.commands.proofs import DemandProof, ProofStatus, ReadProof
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.explain import place_of
from controller.runtime.handlers.base import Handlers

_MOST_NAMED = 3  # differences of one switch; `postern drift` has all of them


def demand_proof(core: RuntimeCore, command: DemandProof, context: Context) -> int:
    return core.proofs.demand(context.now)


def read_proof(core: RuntimeCore, command: ReadProof, context: Context) -> ProofStatus:
    proofs, accepted = core.proofs, core.accepted
    violations = proofs.last.answer.violations if proofs.last else ()
    rules = {step.rule for each in violations for step in each.flows if step.rule}
    return ProofStatus(
        proofs.last,
        max(0.0, context.utc - proofs.last.at_utc) if proofs.last else 0.0,
        proofs.is_under_way,
        proofs.is_prover_running,
        proofs.late_s(context.now),
        proofs.unfinished,
        proofs.missing(context.now),
        {rule: place_of(accepted.policy, rule) for rule in rules} if accepted else {},
        core.in_force.gate.waits(context.now),
        core.in_force.gate.forced,
        tuple(_unmet(core)),
    )


def _unmet(core: RuntimeCore) -> Iterator[str]:
    """Yield which switches do not, or perhaps do not, what their flows say."""
    for name in sorted(core.switches.by_name()):
        found = [each.difference for each in core.drift.ledger.open_on(name)]
        against = [str(each) for each in found if is_against_proof(each)]
        if against:
            more = f"; and {len(against) - _MOST_NAMED} more" if len(against) > _MOST_NAMED else ""
            named = "; ".join(against[:_MOST_NAMED])
            yield f"switch {name} does not behave as the proof assumes: {named}{more}"
    for each in core.bridges.unwatched():
        if each.is_wrong or each.is_here:
            yield f"it is not known whether switch {each.switch} behaves as the proof assumes: {each}"


HANDLERS: Handlers = {DemandProof: demand_proof, ReadProof: read_proof}
