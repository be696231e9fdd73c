"""One tenant's slice says what the whole proof says, for mutations of that tenant's flows."""

from dataclasses import replace
from random import Random

import pytest

from controller.openflow.encode import flow_to_wire
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType, IpProto, Zone
from controller.pipeline.flows import Flow, match
from controller.pipeline.tables import Table
from controller.proof.model import NetworkState, Slice
from controller.proof.prove import prove
from controller.proof.slices import Holdings
from controller.sync.state import WireFlow, WireKey
from tests.proof.edges import many_tenants

pytestmark = pytest.mark.proofs

TENANTS = 5
EDITED = "t00001"


@pytest.fixture(scope="module")
def network() -> NetworkState:
    return many_tenants(TENANTS)


def _mutated(network: NetworkState, random: Random) -> NetworkState:
    """Remove a flow of one tenant, raise or lower its priority, or let it do what another flow does."""
    state = network.switches["s1"]
    holdings = Holdings(network.policy)
    holdings.update(network.policy, network.switches)
    owned = list(holdings.owned_by("s1", EDITED))
    key = random.choice(owned)
    flow = state.flows[key]
    flows = {each: other for each, other in state.flows.items() if each != key}
    kind = random.randrange(3)
    if kind == 1:
        moved = WireKey(key.table, max(1, key.priority + random.choice((-9_000, 9_000))), key.fields)
        flows[moved] = WireFlow(moved, flow.cookie, flow.instructions, flow.wire_fields)
    elif kind == 2:
        same_table = [each for each in owned if each.table == key.table]
        other = state.flows[random.choice(same_table)]
        flows[key] = WireFlow(key, flow.cookie, other.instructions, flow.wire_fields)
    return replace(network, switches={"s1": replace(state, flows=flows)})


@pytest.mark.parametrize("seed", range(6))
def test_a_slice_agrees_with_the_whole(network: NetworkState, seed: int) -> None:
    mutated = _mutated(network, Random(seed))
    whole, part = prove(mutated), prove(mutated, Slice(frozenset({EDITED})))
    assert part.flows < whole.flows
    assert part.is_proved == whole.is_proved, (part.violations, whole.violations)


@pytest.mark.parametrize("seed", range(6))
def test_holdings_after_an_edit_are_those_of_a_fresh_reader(network: NetworkState, seed: int) -> None:
    mutated = _mutated(network, Random(seed))
    kept, fresh = Holdings(network.policy), Holdings(network.policy)
    for state in (network, mutated, network, mutated):
        kept.update(state.policy, state.switches)
    fresh.update(mutated.policy, mutated.switches)
    tenants = frozenset(each.name for each in network.policy.tenants)
    assert set(kept.of(tenants)["s1"].flows) == set(fresh.of(tenants)["s1"].flows)
    part, again = (prove(mutated, Slice(frozenset({EDITED})), each) for each in (kept, fresh))
    assert (part.flows, part.violations) == (again.flows, again.violations)


def test_a_slice_finds_what_a_tenants_flow_lets_through(network: NetworkState) -> None:
    tenant = next(each for each in network.policy.tenants if each.name == EDITED)
    assert tenant.mail
    server = next(each for each in tenant.mail.servers if each.version == 4)
    wanted = match(
        (f.ZONE, Zone.OUTSIDE), (f.ETH_TYPE, EthType.IPV4), (f.IPV4_DST, int(server)),
        (f.IP_PROTO, IpProto.TCP), (f.TCP_DST, 25),
    )  # fmt: skip
    flow = flow_to_wire(Flow(Table.SERVICE, priorities.HIGH + 1, wanted, (), Table.ROUTE, "by hand"))
    state = network.switches["s1"]
    faulty = replace(network, switches={"s1": replace(state, flows={**state.flows, flow.key: flow})})
    assert not prove(faulty, Slice(frozenset({EDITED}))).is_proved


def test_holdings_say_whose_flows_have_changed(network: NetworkState) -> None:
    holdings = Holdings(network.policy)
    assert {"", EDITED} <= holdings.update(network.policy, network.switches)
    assert holdings.update(network.policy, network.switches) == frozenset()
    key = next(iter(holdings.owned_by("s1", EDITED)))
    state = network.switches["s1"]
    fewer = {each: flow for each, flow in state.flows.items() if each != key}
    assert holdings.update(network.policy, {"s1": replace(state, flows=fewer)}) == {EDITED}
    assert prove(network, Slice(frozenset({EDITED})), holdings).is_proved
