"""Plans are proved by slices, but only where a slice stands for the whole."""

from dataclasses import dataclass, replace

import pytest

from controller.compiler.compile import compile_policy
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.openflow.encode import to_wire
from controller.pipeline.tables import Table
from controller.policy.parse import parse_policy
from controller.proof.model import NetworkState, Slice
from controller.prover import reasoner
from controller.prover.question import Purpose
from controller.prover.reasoner import Reasoner
from tests.world import POLICIES

MINIMAL = (POLICIES / "minimal.yaml").read_text(encoding="utf-8")
TENANT = """\
  {name}:
    prefixes: [10.0.{number}.0/24]
    gateways:
      {name}-gw: {{at: s1:1{number}, mac: "02:aa:00:00:01:0{number}", edge: [100.64.2{number}.1]}}
    mail: {{mode: direct, scanners: scanners, servers: [10.0.{number}.10]}}
"""


def network(
    *names: str, edit: tuple[str, str] = ("", ""), conditions: Conditions = ALL_IS_WELL
) -> NetworkState:
    """The smallest policy with more tenants. `edit`: what is replaced in its text, and by what."""
    tenants = "".join(TENANT.format(name=name, number=int(name[1:])) for name in names)
    text = MINIMAL.replace("pools:\n", f"{tenants}\npools:\n")
    policy = parse_policy(text.replace(*edit) if edit[0] else text, "test.yaml")
    wires = {name: to_wire(state) for name, state in compile_policy(policy, conditions).items()}
    return NetworkState(policy, wires, conditions)


@dataclass(frozen=True)
class Found:
    is_proved: bool


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[Slice | None]:
    """The parts that were proved: None is the whole. A state without decisions' table counts as broken."""
    seen: list[Slice | None] = []

    def noting(state: NetworkState, only: Slice | None = None, *_: object) -> Found:
        seen.append(only)
        return Found(any(key.table == Table.SUSPICION for key in state.switches["s1"].flows))

    monkeypatch.setattr(reasoner, "prove", noting)
    return seen


def without(state: NetworkState, table: Table) -> NetworkState:
    switch = state.switches["s1"]
    flows = {key: flow for key, flow in switch.flows.items() if key.table != table}
    return replace(state, switches={"s1": replace(switch, flows=flows)})


def test_an_edit_of_one_tenant_is_proved_by_its_slice(parts: list[Slice | None]) -> None:
    prover = Reasoner(sliced_flows=0)
    prover.prove(network("t1", "t2"), Purpose.PLAN)
    prover.prove(network("t1", "t2", edit=("10.0.2.10", "10.0.2.11")), Purpose.POLICY)
    prover.prove(network("t1", "t2"), Purpose.POLICY)
    assert parts == [None, Slice(frozenset({"t2"})), Slice(frozenset({"t2"}))]


def test_the_standing_proof_is_about_the_whole(parts: list[Slice | None]) -> None:
    prover = Reasoner(sliced_flows=0)
    prover.prove(network("t1"), Purpose.PLAN)
    prover.prove(network("t1", "t2"), Purpose.STANDING)
    assert parts == [None, None]


def test_a_small_network_is_proved_as_a_whole(parts: list[Slice | None]) -> None:
    prover = Reasoner()
    prover.prove(network("t1"), Purpose.PLAN)
    prover.prove(network("t1", "t2"), Purpose.PLAN)
    assert parts == [None, None]


def test_a_change_that_is_not_a_tenants_is_proved_as_a_whole(parts: list[Slice | None]) -> None:
    prover = Reasoner(sliced_flows=0)
    prover.prove(network("t1"), Purpose.PLAN)
    prover.prove(network("t1", edit=("192.0.2.21", "192.0.2.22")), Purpose.PLAN)
    assert parts == [None, None]


def test_a_flow_of_nobody_is_proved_as_a_whole_and_so_is_what_follows(parts: list[Slice | None]) -> None:
    prover = Reasoner(sliced_flows=0)
    prover.prove(network("t1"), Purpose.PLAN)
    prover.prove(without(network("t1"), Table.SERVICE), Purpose.PLAN)
    assert parts == [None, None]


def test_after_a_proof_that_failed_the_whole_is_proved(parts: list[Slice | None]) -> None:
    prover = Reasoner(sliced_flows=0)
    prover.prove(without(network("t1"), Table.SUSPICION), Purpose.PLAN)
    prover.prove(network("t1"), Purpose.PLAN)
    prover.prove(network("t1", edit=("10.0.1.10", "10.0.1.11")), Purpose.PLAN)
    assert parts == [None, None, Slice(frozenset({"t1"}))]


def test_other_conditions_are_proved_as_a_whole(parts: list[Slice | None]) -> None:
    prover = Reasoner(sliced_flows=0)
    prover.prove(network("t1"), Purpose.PLAN)
    prover.prove(network("t1", conditions=Conditions(unready=frozenset({"scanners"}))), Purpose.PLAN)
    assert parts == [None, None]
