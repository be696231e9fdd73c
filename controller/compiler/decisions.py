"""One decision or allowance as flows of table `suspicion`, compiled independently of all others.

The closest decision applies: the longer prefix first, then one for a tenant, then one
for a protocol or port. Allowances take precedence over all decisions. A decision for all
tenants costs a flow on each switch that is a tenant's home; one for a tenant costs a
flow for each of its prefixes, at its home only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from controller.compiler.fragments import Criteria, new_first_fragment
from controller.compiler.view import destination_is, source_is
from controller.ids import meter_of
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import Field, IpProto, Role, Treatment
from controller.pipeline.flows import Flow, Meter, SetField, match
from controller.pipeline.tables import Table
from controller.policy.model import Action, Network, Policy, Protocol
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision, Scope

_TO_DECOYS = (SetField(f.TREATMENT, Treatment.DECOY),)
_FROM_OUTSIDE = (f.ROLE, Role.BACKBONE)
_PORT_FIELDS = {Protocol.TCP: f.TCP_DST, Protocol.UDP: f.UDP_DST}


@dataclass(frozen=True, slots=True)
class SwitchFlows:
    """The flows and meters of a decision on one switch."""

    flows: tuple[Flow, ...]
    meters: tuple[Meter, ...] = ()


class Enforcement:
    """Knows the homes of tenants; built again for every policy."""

    def __init__(self, policy: Policy) -> None:
        self.homes: Mapping[str, str] = {tenant.name: tenant.home for tenant in policy.tenants}
        self.prefixes: Mapping[str, tuple[Network, ...]] = {
            each.name: each.prefixes for each in policy.tenants
        }
        self._everywhere = sorted(set(self.homes.values()))
        self._limit_per_s = policy.suspicion.limit_per_s

    def footprint(self, scope: Scope) -> object:
        """Return the part of the policy that determines a decision's flows.

        The same footprint means the same flows.
        """
        if scope.tenant:
            return self.homes.get(scope.tenant), self.prefixes.get(scope.tenant), self._limit_per_s
        return self._everywhere, self._limit_per_s

    @property
    def footprint_of_allowances(self) -> object:
        return self._everywhere

    def of_decision(self, decision: Decision) -> dict[str, SwitchFlows]:
        """Return the flows of a decision in force, by the switch's name."""
        scope = decision.request.scope
        meters = tuple(self._meters(decision))
        flows = tuple(self._flows(decision, meters))
        switches = [self.homes[scope.tenant]] if scope.tenant else self._everywhere
        return {switch: SwitchFlows(flows, meters) for switch in switches} if flows else {}

    def of_allowance(self, allowance: Allowance) -> dict[str, SwitchFlows]:
        wanted = match(_FROM_OUTSIDE, *source_is(allowance.source))
        priority = priorities.longest_prefix(priorities.HIGH, allowance.source.prefixlen)
        flow = Flow(Table.SUSPICION, priority, wanted, (), Table.SERVICE, f"allow.{allowance.number}")
        return {switch: SwitchFlows((flow,)) for switch in self._everywhere}

    def _meters(self, decision: Decision) -> Iterator[Meter]:
        if decision.request.action is Action.LIMIT and not decision.request.is_simulated:
            yield Meter(meter_of(decision.number), self._limit_per_s, f"decisions.{decision.number}")

    def _flows(self, decision: Decision, meters: tuple[Meter, ...]) -> Iterator[Flow]:
        request, scope = decision.request, decision.request.scope
        action = Action.WATCH if request.is_simulated else request.action
        for destination in self._destinations(scope):
            here: Criteria = (_FROM_OUTSIDE, *source_is(scope.source), *destination)
            yield Flow(
                Table.SUSPICION,
                _priority(scope),
                match(*here, *_layer4(scope)),
                _TO_DECOYS if action is Action.DECOY else (),
                None if action is Action.DROP else Table.SERVICE,
                f"decisions.{decision.number}",
                meters[0].meter_id if meters else 0,
            )
            if action in (Action.DROP, Action.DECOY) and (fragment := _first_fragment(scope)):
                band, because = _priority(replace(scope, port=1)), f"decisions.{decision.number}"
                yield Flow(Table.SUSPICION, band, match(*here, *fragment), (), None, because)

    def _destinations(self, scope: Scope) -> Iterator[tuple[tuple[Field, int, int], ...]]:
        if not scope.tenant:
            yield ()
            return
        for prefix in self.prefixes[scope.tenant]:
            if prefix.version == scope.source.version:
                _, wanted = destination_is(prefix)
                yield (wanted,)


def _priority(scope: Scope) -> int:
    closeness = 4 * bool(scope.tenant) + 2 * bool(scope.protocol) + bool(scope.port)
    return priorities.NORMAL + 8 * scope.source.prefixlen + closeness


def _layer4(scope: Scope) -> tuple[tuple[Field, int], ...]:
    if scope.protocol is None:
        return ()
    port = ((_PORT_FIELDS[scope.protocol], scope.port),) if scope.port else ()
    return ((f.IP_PROTO, _protocol_number(scope, scope.protocol)), *port)


def _first_fragment(scope: Scope) -> Criteria:
    """Match the first fragment that the flow of a decision does not match; empty: there is none.

    Other fragments do not show the port, in IPv6 not the protocol either. Without the first one they open
    no connection. No connection over TCP begins with a fragment.
    """
    if scope.protocol in (None, Protocol.TCP) or (scope.source.version == 4 and not scope.port):
        return ()
    return new_first_fragment(_protocol_number(scope, scope.protocol), scope.port)


def _protocol_number(scope: Scope, protocol: Protocol) -> IpProto:
    if protocol is Protocol.ICMP:
        return IpProto.ICMP if scope.source.version == 4 else IpProto.ICMPV6
    return IpProto.TCP if protocol is Protocol.TCP else IpProto.UDP
