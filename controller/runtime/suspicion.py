"""Decisions and allowances: kept, stored, and applied to the switches, each change separately.

A disk error is reported and blocks nothing: the decisions hold until the next start.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network

from common.journal.journal import Journal
from controller.compiler.decisions import Enforcement, SwitchFlows
from controller.pipeline.fields import Zone
from controller.policy.evidence import OF_DECOYS
from controller.policy.model import Action, Address, Network, OpenSessions, Policy, Protocol
from controller.pools.conntrack import Connection
from controller.runtime.context import Context
from controller.runtime.decision_changes import DecisionProspect, Enforced, FlowChange
from controller.runtime.encoding import Encoder
from controller.runtime.principals import CONTROLLER, Principal
from controller.runtime.switches import Switches
from controller.store import Store, StoreError
from controller.suspicion.allow import Allowance, AllowList
from controller.suspicion.decision import Request, Scope
from controller.suspicion.floods import Floods
from controller.suspicion.ledger import Caps, Ledger, LedgerOutcome
from controller.suspicion.refusals import Guard
from controller.suspicion.scans import Scans
from controller.suspicion.scores import ORIGIN, Evidence, Offender, Scores
from controller.suspicion.subnets import Subnets
from controller.sync.overlay import Patch
from controller.sync.state import WireKey
from controller.telemetry.events import ControllerEvent
from controller.topology.ports import published_doors

_REMEMBERED_S = 90 * 86_400.0  # how long an offender is remembered after its last decision has ended
_AT_ONCE = 2_000  # decisions; then other work of the process proceeds
_MOST_TOLD = 20  # decisions with a line of their own in the journal; more are counted in one line


class DecisionKeeper:
    """`by`: on whose behalf, for the journal."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        switches: Switches,
        encoder: Encoder,
        give_way: Callable[[], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._switches = switches
        self._encoder = encoder
        self._give_way = give_way
        self.ledger = Ledger()
        self.allowed = AllowList()
        self.scores = Scores()
        self.to_cut: dict[Scope, None] = {}  # their open sessions must still be ended
        self.evicted = 0
        self.refused = 0
        self._scans = Scans()
        self._subnets = Subnets()
        self._floods = Floods()
        self._published: frozenset[tuple[str, int]] = frozenset()
        self._guard: Guard | None = None
        self._enforcement: Enforcement | None = None
        self._enforced: dict[Scope | Network, Enforced] = {}

    def load(self, now: float, utc: float) -> None:
        """Load what was stored before a restart; drop what has ended since."""
        due = []
        for number, decision in enumerate(self._store.decisions()):
            if number % _AT_ONCE == 0:
                self._give_way()
            if decision.until > utc:
                self.ledger.restore(decision, now + decision.until - utc)
            else:
                due.append(decision)
        self._keep(lambda: self._store.change_decisions([], due))
        self._load_offenders(now, utc)
        for allowance in self._store.allowances():
            self.allowed.restore(allowance, now + allowance.until - utc)

    def _load_offenders(self, now: float, utc: float) -> None:
        """Load the earlier offenders; forget those that have caused nothing for long enough."""
        forgotten = []
        for offender in self._store.offenders():
            if offender.until + _REMEMBERED_S < utc:
                forgotten.append(offender.source)
            else:
                left_s = offender.until - utc
                self.scores.restore(offender, now + left_s if left_s > 0 else 0.0)
        self._keep(lambda: self._store.change_offenders([], forgotten))

    def foresee(self, policy: Policy) -> DecisionProspect:
        """Return what a policy would change, and change nothing."""
        guard, enforcement, before = Guard(policy), Enforcement(policy), self._enforcement
        withdrawn = self.ledger.refused_by(guard)
        gone = {each.number for each in withdrawn}
        touched = dict.fromkeys(each.request.scope for each in withdrawn)
        changes = []
        for number, scope in enumerate(self.ledger.scopes()):
            if number % _AT_ONCE == _AT_ONCE - 1:
                self._give_way()
            if scope in touched or before is None or before.footprint(scope) != enforcement.footprint(scope):
                decision = self.ledger.in_force(scope, gone)
                changes.append(self._change(scope, enforcement.of_decision(decision) if decision else {}))
        if before is None or before.footprint_of_allowances != enforcement.footprint_of_allowances:
            for allowance in self.allowed.by_number.values():
                changes.append(self._change(allowance.source, enforcement.of_allowance(allowance)))
        return DecisionProspect(guard, enforcement, withdrawn, tuple(changes))

    def on_policy(self, now: float, policy: Policy, prospect: DecisionProspect) -> None:
        """Withdraw what the policy forbids, and replace the flows that change; `foresee` says which."""
        levels = policy.suspicion
        self.ledger.caps = Caps(levels.cap, levels.cap_of_origin, levels.cap_of_tenant)
        self.scores.policy = levels
        self._guard, self._enforcement = prospect.guard, prospect.enforcement
        self._published = frozenset(published_doors(policy))
        outcome = self.ledger.delete(each.number for each in prospect.withdrawn)
        self._record(outcome, "withdrawn: the policy now forbids them", str(CONTROLLER))
        for change in prospect.changes:
            self._carry_out_change(change)
        self._switches.settle(now)

    def add(
        self, now: float, utc: float, requests: Sequence[Request], by: Principal = CONTROLLER
    ) -> LedgerOutcome:
        assert self._guard is not None  # the runtime refuses such commands before the first policy
        return self._take_up(now, self.ledger.add(now, utc, requests, self._guard), by=by)

    def on_evidence(self, now: float, utc: float, evidence: Sequence[Evidence]) -> None:
        """Record evidence about sources; make the decisions that the policy asks for."""
        if self._guard is None:
            return  # before the first policy, nothing says which sources are tenants'
        requests, offenders = [], []
        evidence = [
            replace(fact, is_expected=self._is_expected(fact))
            for fact in evidence
            if not self._guard.owner(ip_network(fact.source))
        ]
        for found in self.scores.on_evidence(now, evidence):
            covering = self.allowed.covering(found.source)
            self._journal.write(
                ControllerEvent.SOURCE_SUSPECTED,
                source=str(found.source),
                score=round(found.score, 1),
                level=found.level,
                allowed=covering.number if covering else None,
            )
            if covering is None:
                requests += [found.request, *self._crowd(now, found.request)]
                offenders.append(Offender(found.source, found.offences, utc + found.request.duration_s))
        if offenders:
            self._keep(lambda: self._store.change_offenders(offenders, []))
        if requests:
            self.add(now, utc, requests)

    def _crowd(self, now: float, request: Request) -> Iterator[Request]:
        """Make a decision about the whole network as well, once enough of it is suspicious."""
        source, enough = request.scope.source, self.scores.policy.crowd
        network = self._subnets.on_decided(now, source, now + request.duration_s, enough)
        if network:
            reason = f"{enough} of its sources are suspicious at once, the last: {source}"
            scope = replace(request.scope, source=network)
            yield replace(request, scope=scope, scenario="crowd", reason=reason, sessions=OpenSessions.KEEP)

    def _is_expected(self, fact: Evidence) -> bool:
        """At a published address and port, only a decision leads to a decoy, so a visit there proves nothing.

        Otherwise a wrong decision would produce its own evidence.
        """
        door = (fact.destination, fact.port)
        return fact.kind in OF_DECOYS and door in self._published

    def on_samples(self, now: float, utc: float, samples: Sequence[Evidence]) -> None:
        """Record sampled first packets to addresses and ports that no tenant publishes."""
        self.on_evidence(now, utc, [*samples, *self._scans.on_samples(now, samples)])

    def on_connections(self, now: float, utc: float, open_by_source: Mapping[Address, int]) -> None:
        """Record the connection counts of sources with many connections."""
        self.on_evidence(now, utc, self._floods.on_connections(now, open_by_source))

    def owner(self, source: Network) -> str:
        """Return the tenant or host behind the edge whose addresses a source touches; empty: none."""
        return self._guard.owner(source) if self._guard else ""

    def delete(self, now: float, numbers: Iterable[int], by: Principal = CONTROLLER) -> LedgerOutcome:
        """End decisions. If a decision was the edge's own, the source starts again with score 0."""
        outcome = self._take_up(now, self.ledger.delete(numbers), "deleted", by)
        pardoned = [each.request.scope.source for each in outcome.ended if each.request.origin == ORIGIN]
        for source in pardoned:
            self.scores.pardon(source)
        if pardoned:
            self._keep(lambda: self._store.change_offenders([], pardoned))
        return outcome

    def on_tick(self, now: float) -> None:
        self._take_up(now, self.ledger.expire(now), "expired")
        for allowance in self.allowed.expire(now):
            self._disallow(now, allowance, "expired", CONTROLLER)

    def allow(self, context: Context, source: Network, comment: str, duration_s: float = 0.0) -> Allowance:
        """Let a source pass regardless of any decision. No duration: it does not expire."""
        assert self._enforcement is not None
        now, by = context.now, str(context.by)
        allowance = self.allowed.add(now, context.utc, source, comment, duration_s)
        self._keep(lambda: self._store.put_allowance(allowance))
        self._journal.write(
            ControllerEvent.SOURCE_ALLOWED, allowance=allowance.number, source=str(source), by=by
        )
        self._put(source, self._enforcement.of_allowance(allowance))
        self._switches.settle(now)
        return allowance

    def disallow(self, now: float, number: int, by: Principal) -> Allowance | None:
        allowance = self.allowed.delete(number)
        if allowance:
            self._disallow(now, allowance, "deleted", by)
        return allowance

    def cut(self, connections: Iterable[Connection]) -> tuple[Connection, ...]:
        """Make the switches forget the open sessions that a decision ends; return them."""
        scopes, self.to_cut = list(self.to_cut), {}
        found = tuple(each for each in connections if any(self._concerns(scope, each) for scope in scopes))
        self._switches.forget(found)
        for scope in scopes[:_MOST_TOLD]:
            count = sum(self._concerns(scope, each) for each in found)
            self._journal.write(ControllerEvent.SOURCE_CUT, scope=str(scope), connections=count)
        return found

    def _concerns(self, scope: Scope, connection: Connection) -> bool:
        """Return whether a scope covers a connection; all listed connections are TCP."""
        assert self._enforcement is not None
        if connection.leg != Zone.OUTSIDE or not connection.is_open:
            return False
        if not _is_in(connection.source, scope.source) or self.allowed.covering(connection.source):
            return False
        if scope.tenant:
            prefixes = self._enforcement.prefixes.get(scope.tenant, ())
            if not any(_is_in(connection.destination, prefix) for prefix in prefixes):
                return False
        is_meant = scope.protocol in (None, Protocol.TCP)
        return is_meant and scope.port in (0, connection.destination_port)

    def keys_of(self, what: Scope | Network) -> Mapping[str, tuple[WireKey, ...]]:
        """Return the flows, by switch, of the decision in force for a scope, or of an allowance."""
        enforced = self._enforced.get(what)
        return enforced.keys if enforced else {}

    def _disallow(self, now: float, allowance: Allowance, reason: str, by: Principal) -> None:
        self._keep(lambda: self._store.delete_allowance(allowance.number))
        self._journal.write(
            ControllerEvent.ALLOWANCE_ENDED,
            allowance=allowance.number,
            source=str(allowance.source),
            reason=reason,
            by=str(by),
        )
        self._put(allowance.source, {})
        self._switches.settle(now)

    def _take_up(
        self, now: float, outcome: LedgerOutcome, reason: str = "", by: Principal = CONTROLLER
    ) -> LedgerOutcome:
        """Store the changes, report them, and apply them to the switches."""
        self._record(outcome, reason, str(by))
        self._carry_out(outcome.changed)
        self._note_cuts(outcome)
        self._switches.settle(now)
        return outcome

    def _record(self, outcome: LedgerOutcome, reason: str, by: str) -> None:
        """Store the changes, and report them."""
        if outcome.accepted or outcome.ended:
            self._keep(lambda: self._store.change_decisions(outcome.accepted, outcome.ended))
        self._tell(outcome, reason, by)

    def _keep(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StoreError as error:
            self._journal.write(ControllerEvent.DECISIONS_NOT_STORED, reason=str(error))

    def _carry_out(self, scopes: Iterable[Scope]) -> None:
        assert self._enforcement is not None
        for number, scope in enumerate(scopes):
            if number % _AT_ONCE == _AT_ONCE - 1:
                self._give_way()
            decision = self.ledger.in_force(scope)
            self._put(scope, self._enforcement.of_decision(decision) if decision else {})

    def _put(self, what: Scope | Network, asks: Mapping[str, SwitchFlows]) -> None:
        self._carry_out_change(self._change(what, asks))

    def _change(self, what: Scope | Network, asks: Mapping[str, SwitchFlows]) -> FlowChange:
        """Return how the flows of one decision or allowance become those that are asked for."""
        before = self._enforced.get(what, Enforced())
        patches, keys, meters = {}, {}, {}
        for switch in before.keys.keys() | asks.keys():
            ask = asks.get(switch, SwitchFlows(()))
            patch = patches[switch] = Patch(
                [self._encoder.flow(flow) for flow in ask.flows],
                [self._encoder.meter(meter) for meter in ask.meters],
                list(before.keys.get(switch, ())),
                list(before.meters.get(switch, ())),
            )
            if patch.flows:
                keys[switch] = tuple(flow.key for flow in patch.flows)
                meters[switch] = tuple(meter.meter_id for meter in patch.meters)
        return FlowChange(what, patches, Enforced(keys, meters))

    def _carry_out_change(self, change: FlowChange) -> None:
        for switch, patch in change.patches.items():
            self._switches.patch(switch, patch)
        self._enforced.pop(change.what, None)
        if change.enforced.keys:
            self._enforced[change.what] = change.enforced

    def _note_cuts(self, outcome: LedgerOutcome) -> None:
        for decision in outcome.accepted:
            request = decision.request
            ends_sessions = request.action in (Action.DECOY, Action.DROP) and not request.is_simulated
            if request.sessions is OpenSessions.CUT and ends_sessions:
                self.to_cut[request.scope] = None

    def _tell(self, outcome: LedgerOutcome, reason: str, by: str) -> None:
        self.evicted += outcome.evicted
        self.refused += len(outcome.refused)
        for decision in outcome.accepted[:_MOST_TOLD]:
            request = decision.request
            self._journal.write(
                ControllerEvent.DECISION_MADE,
                decision=decision.number,
                scope=str(request.scope),
                action=request.action.value,
                origin=request.origin,
                scenario=request.scenario,
                reason=request.reason,
                seconds=request.duration_s,
                simulated=request.is_simulated,
                by=by,
            )
        for decision in outcome.ended[:_MOST_TOLD]:
            scope = str(decision.request.scope)
            self._journal.write(
                ControllerEvent.DECISION_ENDED, decision=decision.number, scope=scope, reason=reason, by=by
            )
        more = {
            "made": max(0, len(outcome.accepted) - _MOST_TOLD),
            "ended": max(0, len(outcome.ended) - _MOST_TOLD),
            "evicted": outcome.evicted,
        }
        if any(more.values()):
            self._journal.write(ControllerEvent.MANY_DECISIONS_CHANGED, **more)
        if outcome.refused:
            _, first = outcome.refused[0]
            self._journal.write(
                ControllerEvent.DECISIONS_REFUSED, count=len(outcome.refused), reason=str(first)
            )


def _is_in(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network
