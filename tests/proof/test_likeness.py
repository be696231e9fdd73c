"""Of many tenants that are alike, a few stand for all; what makes one of them different is still found."""

from dataclasses import replace
from random import Random

import pytest

from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline.fields import EthType, Role
from controller.pipeline.flows import Flow, Output, SetField, match
from controller.pipeline.tables import Table
from controller.proof import likeness
from controller.proof.likeness import Likeness
from controller.proof.model import NetworkState
from controller.proof.prove import prove
from controller.proof.read import read_switch
from controller.sync.state import WireFlow, WireKey
from controller.topology.ports import mac_number
from tests.proof.edges import many_tenants
from tests.proof.networks import holding, without

pytestmark = pytest.mark.proofs

TENANTS = 9
FEW = 2


@pytest.fixture(scope="module")
def network() -> NetworkState:
    return many_tenants(TENANTS)


@pytest.fixture(autouse=True)
def _few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "ENOUGH", FEW)


def chosen(network: NetworkState) -> set[str]:
    switches = {name: read_switch(state) for name, state in network.switches.items()}
    return set(Likeness(network.policy, switches, network.conditions).chosen())


def test_a_few_of_each_mail_mode_stand_for_all(network: NetworkState) -> None:
    assert chosen(network) == {"t00000", "t00001", "t00002", "t00005"}


def test_a_tenant_that_lacks_a_flow_is_chosen(network: NetworkState) -> None:
    gone = mac_number("02:aa:00:00:00:07").to_bytes(6)
    fewer = without(network, lambda each: each.key.table == Table.FORWARD and gone in each.key.fields)
    assert "t00007" in chosen(fewer)


def test_tenants_that_a_flow_names_together_are_chosen(network: NetworkState) -> None:
    party = (f.PARTY, party_id("tenants.t00006"))
    wanted = match((f.ROLE, Role.TENANT), party)
    to_other = Flow(Table.HOME, 60_000, wanted, (Output(108),), None, "by hand")
    assert {"t00006", "t00008"} <= chosen(holding(network, to_other))


def test_tenants_inside_a_prefix_are_chosen(network: NetworkState) -> None:
    """20.0.6.0/23 contains the addresses of the tenants 6 and 7."""
    inside = (f.IPV4_DST, 0x14000600, 0xFFFFFE00)
    flow = Flow(Table.SERVICE, 60_000, match((f.ETH_TYPE, EthType.IPV4), inside), (), Table.ROUTE, "by hand")
    assert {"t00006", "t00007"} <= chosen(holding(network, flow))


def test_a_tenant_whose_mac_is_written_is_chosen(network: NetworkState) -> None:
    write = SetField(f.ETH_DST, mac_number("02:aa:00:00:00:08"))
    flow = Flow(Table.ADMISSION, 60_000, match((f.IN_PORT, 1)), (write,), Table.FORWARD, "by hand")
    assert "t00008" in chosen(holding(network, flow))
    found = prove(holding(network, flow)).violations
    assert "tenants.t00008.gateways.gw" in {each.receiver for each in found}


def _mutated(network: NetworkState, random: Random) -> NetworkState:
    """Remove a flow, raise or lower its priority, or let it do what another flow of its table does."""
    state = network.switches["s1"]
    key = random.choice(list(state.flows))
    flow = state.flows[key]
    flows = {each: other for each, other in state.flows.items() if each != key}
    kind = random.randrange(3)
    if kind == 1:
        moved = WireKey(key.table, max(1, key.priority + random.choice((-9_000, 9_000))), key.fields)
        flows[moved] = WireFlow(moved, flow.cookie, flow.instructions, flow.wire_fields)
    elif kind == 2:
        other = random.choice([each for each in state.flows.values() if each.key.table == key.table])
        flows[key] = WireFlow(key, flow.cookie, other.instructions, flow.wire_fields)
    return replace(network, switches={"s1": replace(state, flows=flows)})


@pytest.mark.parametrize("seed", range(20))
def test_a_few_agree_with_all(network: NetworkState, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mutated = _mutated(network, Random(seed))
    few = prove(mutated)
    monkeypatch.setattr(likeness, "ENOUGH", TENANTS)
    every = prove(mutated)
    assert len(chosen(mutated)) == TENANTS
    assert {each.claim for each in few.violations} == {each.claim for each in every.violations}
