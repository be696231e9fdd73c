"""Proves the claims of a policy over what its switches hold, or shows packets that break them."""

import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter

from controller.policy.model import Policy
from controller.proof.arrivals import Arrivals
from controller.proof.budget import Budget
from controller.proof.claims import Breach, Claims
from controller.proof.commits import ConnectionSet
from controller.proof.earlier import Earlier
from controller.proof.engine import Engine
from controller.proof.flows import HeldFlows
from controller.proof.found import Leak
from controller.proof.learned import with_learned
from controller.proof.likeness import stand_ins
from controller.proof.loops import loops_of
from controller.proof.model import Claim, NetworkState, Proof, Slice, Violation
from controller.proof.read import read_switch
from controller.proof.sessions import Sessions
from controller.proof.slices import Holdings, companions, limited
from controller.proof.space import Space, space_of
from controller.proof.witness import Witnesses

_MOST_REPLAYED = 8  # violations, each of which may take some hundred packets
_MOST_SHOWN = 1_000


def prove(
    network: NetworkState,
    only: Slice | None = None,
    holdings: Holdings | None = None,
    earlier: Earlier | None = None,
    before: NetworkState | None = None,
) -> Proof:
    """Prove all claims over a network, or over the slice that an edit touches (see `slices`).

    `holdings` saves reading again what was read before; they must belong to this policy's edge. `earlier`:
    connections of earlier proofs whose sessions may still be open; they are proved, too. `before`: the policy
    and conditions under which they were opened, if they may go on with what was permitted then; that says
    nothing about sessions which begin now, so it is proved besides the network without `earlier`.
    """
    begin = perf_counter()
    with _without_collector():
        policy, switches = _part(network, only, holdings)
        flows = sum(len(held.flows) for held in switches.values())
        if earlier is None and before is None:
            policy, switches = stand_ins(policy, switches, network.conditions)
        space = space_of(policy, switches, earlier.constants if earlier else ())
        while True:
            engine = Engine(space, switches)
            engine.start()
            connections = Sessions(engine, earlier.within(engine) if earlier else None).settle()
            known, switches = switches, with_learned(switches, engine.found.taught)
            if known == switches or engine.budget.is_exhausted:
                break
        old = Claims(space, before.policy, before.conditions, engine.narrower) if before else None
        claims = Claims(space, policy, network.conditions, engine.narrower, old)
        violations = _violations(claims, policy, switches, engine, connections)
    found = engine.found
    arrivals = Arrivals(space, engine.narrower, found.arrivals, len(found.leaks))
    left_open, is_complete = Earlier.of(space, connections), not engine.budget.is_exhausted
    return Proof(perf_counter() - begin, flows, violations, arrivals, left_open, is_complete)


def _part(
    network: NetworkState, only: Slice | None, holdings: Holdings | None
) -> tuple[Policy, Mapping[str, HeldFlows]]:
    """Return the policy and the flows that are to be proved."""
    if only is None and holdings is None:
        return network.policy, {name: read_switch(state) for name, state in network.switches.items()}
    holdings = holdings or Holdings(network.policy)
    holdings.update(network.policy, network.switches)
    tenants = frozenset(each.name for each in network.policy.tenants)
    wanted = companions(network.policy, only.tenants & tenants) if only else tenants
    return limited(network.policy, wanted), holdings.of(wanted)


def _violations(
    claims: Claims,
    policy: Policy,
    switches: Mapping[str, HeldFlows],
    engine: Engine,
    connections: Mapping[int, Sequence[ConnectionSet]],
) -> tuple[Violation, ...]:
    space, found = engine.space, engine.found
    breaches = [
        breach
        for (switch, port), boxes in found.arrivals.items()
        for box in engine.joiner.exact(boxes)
        for breach in claims.breaches(switch, port, box)
    ]
    witnesses = Witnesses(space, engine.narrower, switches, connections)
    chosen = _one_of_each(breaches)
    shown, others = chosen[:_MOST_REPLAYED], chosen[_MOST_REPLAYED:_MOST_SHOWN]
    stopped = [_of_budget(engine.budget, switches, witnesses)] if engine.budget.is_exhausted else []
    return (
        *stopped,
        *(_of_leak(space, leak, Claim.ANYWHERE) for leak in _one_of_each_flow(found.leaks)),
        *(_of_leak(space, leak, Claim.HELD_FRAGMENTS) for leak in _one_of_each_flow(found.held)),
        *loops_of(policy, switches),
        *map(witnesses.confirmed, shown),
        *map(witnesses.possible, others),
    )


def _one_of_each(breaches: list[Breach]) -> list[Breach]:
    """Return one breach for each claim, sender and receiver, those of different claims first."""
    found: dict[tuple[object, ...], Breach] = {}
    for breach in breaches:
        found.setdefault((breach.claim, breach.switch, breach.port, breach.box[0]), breach)
    turns: dict[Claim, int] = defaultdict(int)
    order: list[tuple[int, int]] = []
    for breach in found.values():
        order.append((turns[breach.claim], len(order)))
        turns[breach.claim] += 1
    chosen = list(found.values())
    return [chosen[place] for _, place in sorted(order)]


def _one_of_each_flow(leaks: list[Leak]) -> list[Leak]:
    return list({(leak.switch, id(leak.flow)): leak for leak in leaks}.values())[:_MOST_SHOWN]


def _of_leak(space: Space, leak: Leak, claim: Claim) -> Violation:
    senders = ", ".join(space.paths(leak.box[0])[:3])
    return Violation(claim, senders, f"any port of {leak.switch}", leak.what)


def _of_budget(budget: Budget, switches: Mapping[str, HeldFlows], witnesses: Witnesses) -> Violation:
    """Return that the proof stopped early, with the flow that was met most often: a foreign one, if any."""
    steps = [
        (budget.met[name, id(flow)], step, not step.rule and not flow.text)
        for name, held in switches.items()
        for flow in held.flows
        if budget.met[name, id(flow)]
        for step in (witnesses.step_of(name, flow),)
    ]
    _, step, _ = max(steps, key=lambda each: (each[2], each[0]))
    what = f"too many ways: the proof stopped after {budget.steps} steps, and reports what it found by then"
    return Violation(Claim.ANYWHERE, "any neighbour", f"any port of {step.switch}", what, flows=(step,))


@contextmanager
def _without_collector() -> Iterator[None]:
    """A proof makes millions of small objects and no cycles: the collector would only slow it down."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
