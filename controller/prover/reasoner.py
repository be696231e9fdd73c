"""Proves states of networks, one after the other: the whole, or the slice that an edit touches. Pure.

A slice stands for the whole only if a state was proved as a whole before, and only some tenants' own flows
differ from it. Only plans are proved by slices, and only in large networks; the standing proof, which follows
each plan, is always about the whole.
"""

from dataclasses import dataclass, replace

from controller.policy.model import Policy
from controller.proof.covered import is_covered
from controller.proof.model import NetworkState, Proof, Slice
from controller.proof.prove import prove
from controller.proof.slices import Holdings
from controller.prover.question import Purpose

_SLICED_FLOWS = 5_000  # a smaller network is proved as a whole within less than a second
_MOST_TENANTS = 20  # in a slice: many tenants at once are proved as a whole


@dataclass(frozen=True, slots=True)
class _Clean:
    """A state that was proved, with its flows in the form in which slices are taken from it."""

    network: NetworkState
    holdings: Holdings


class Reasoner:
    def __init__(self, sliced_flows: int = _SLICED_FLOWS) -> None:
        self._sliced_flows = sliced_flows
        self._clean: _Clean | None = None

    def prove(self, network: NetworkState, purpose: Purpose) -> Proof:
        part = self._slice_of(network) if purpose is not Purpose.STANDING else None
        if part is not None and self._clean is not None:
            proof = prove(network, part, self._clean.holdings)
            self._clean = replace(self._clean, network=network) if proof.is_proved else None
            return proof
        self._clean = None
        proof = prove(network)
        if proof.is_proved and self._is_large(network):
            holdings = Holdings(network.policy)
            holdings.update(network.policy, network.switches)
            self._clean = _Clean(network, holdings)
        return proof

    def _is_large(self, network: NetworkState) -> bool:
        return sum(len(state.flows) for state in network.switches.values()) >= self._sliced_flows

    def _slice_of(self, network: NetworkState) -> Slice | None:
        """Return what differs from the last clean state; None: the whole has to be proved."""
        clean = self._clean
        if clean is None or not self._is_comparable(clean.network, network):
            return None
        before, after = _tenants(clean.network.policy), _tenants(network.policy)
        edited = {name for name in before.keys() | after.keys() if _differ(before.get(name), after.get(name))}
        owners = clean.holdings.update(network.policy, network.switches)
        touched = frozenset(owners | edited)
        if "" in touched or len(touched) > _MOST_TENANTS:
            self._clean = None  # the holdings are those of a state that is not proved yet
            return None
        return Slice(touched)

    def _is_comparable(self, clean: NetworkState, network: NetworkState) -> bool:
        """Return whether no more than tenants and their flows can differ."""
        return (
            clean.conditions == network.conditions
            and clean.switches.keys() == network.switches.keys()
            and replace(clean.policy, tenants=(), places={}) == replace(network.policy, tenants=(), places={})
            and all(
                state.learned == network.switches[name].learned
                and is_covered(replace(network.switches[name], flows={}), replace(state, flows={}))
                for name, state in clean.switches.items()
            )
        )


def _differ(one: object, other: object) -> bool:
    """Return whether two values differ. Most are one object; comparing their fields takes long."""
    return one is not other and one != other


def _tenants(policy: Policy) -> dict[str, object]:
    return {tenant.name: tenant for tenant in policy.tenants}
