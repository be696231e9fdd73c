"""What is compiled is proved in every state of health: otherwise the gate would hold back a repair."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.compiler.network_state import Conditions
from controller.openflow.encode import to_wire
from controller.policy.model import Policy
from controller.pools.removed_members import member_paths, with_leaving
from controller.proof.covered import are_covered
from controller.proof.prove import prove
from controller.proof.read import read_flow
from controller.proof.slices import groups_in
from controller.runtime.coverage import Coverage
from tests.examples import examples
from tests.proof.states import edited_tree, policy_from, some_conditions, state_of, tree_of

pytestmark = pytest.mark.proofs

COVERAGE = Coverage(to_wire)


def a_policy(chance: random.Random, name: str) -> Policy:
    return edited_tree(chance, tree_of(name))[1]


def said_of(policy: Policy, conditions: Conditions) -> list[str]:
    """Return what a proof says of the widest state, which is what the gate asks about."""
    network = state_of(policy, conditions)
    widest = COVERAGE.widest(policy, conditions, network.switches)
    assert are_covered(network.switches, widest)
    proof = prove(replace(network, switches=widest))
    return [f"{each.claim}: {each.sender} to {each.receiver}: {each.packet}" for each in proof.violations]


@given(seed=st.integers(0, 1 << 30))
@pytest.mark.parametrize("name", ["minimal", "demo"])
@examples(25, deadline=None)
def test_every_state_of_one_switch_is_proved(name: str, seed: int) -> None:
    chance = random.Random(seed)
    policy = a_policy(chance, name)
    assert said_of(policy, some_conditions(chance, policy)) == []


@given(seed=st.integers(0, 1 << 30))
@examples(10, deadline=None)
def test_every_state_of_several_switches_is_proved(seed: int) -> None:
    chance = random.Random(seed)
    policy = a_policy(chance, "triangle")
    assert said_of(policy, some_conditions(chance, policy)) == []


@pytest.mark.parametrize("way", ["tempfail", "reject", "bypass"])
@pytest.mark.parametrize("name", ["demo", "triangle"])
def test_all_pools_empty_at_once_is_proved(name: str, way: str) -> None:
    tree = tree_of(name)
    for tenant in tree["tenants"].values():
        if "mail" in tenant:
            tenant["mail"]["on_empty"] = way
    policy = policy_from(tree)
    everyone = [f"pools.{pool.name}.members.{each.name}" for pool in policy.pools for each in pool.members]
    assert said_of(policy, Conditions(dict.fromkeys(everyone, 0))) == []


@given(seed=st.integers(0, 1 << 30))
@pytest.mark.parametrize("name", ["demo", "triangle"])
@examples(40, deadline=None)
def test_what_is_sent_of_a_state_that_waits_is_covered(name: str, seed: int) -> None:
    """On the way from any state of health to any other one of the same policy."""
    chance = random.Random(seed)
    policy = a_policy(chance, name)
    before, after = (state_of(policy, some_conditions(chance, policy)) for _ in range(2))
    widest = COVERAGE.widest(policy, before.conditions, before.switches)
    part = COVERAGE.part(policy, before.switches, after.switches, widest)
    assert are_covered(part, widest)
    for state in part.values():
        used = {number for flow in state.flows.values() for number in groups_in(read_flow(flow).operations)}
        assert used <= state.groups.keys()
    again = COVERAGE.part(policy, part, after.switches, widest)
    assert again is part, "nothing more is to be sent"


def test_a_home_that_is_cut_off_is_proved() -> None:
    policy = policy_from(tree_of("triangle"))
    ends = [
        end for link in policy.links for end in (link.a, link.b) if "s1" in (link.a.switch, link.b.switch)
    ]
    assert said_of(policy, Conditions(broken=frozenset(ends))) == []


@pytest.mark.parametrize("name", ["demo", "ring"])
def test_members_that_are_leaving_are_proved(name: str) -> None:
    """They are no longer in the policy, get no new sessions, and finish those that they have."""
    tree = tree_of(name)
    before = policy_from(tree)
    for pool in tree["pools"].values():
        if len(pool["members"]) > 1:
            del pool["members"][next(iter(pool["members"]))]
    written = policy_from(tree)
    carried = with_leaving(written, before, lambda path: True)
    leaving = member_paths(carried) - member_paths(written)
    assert leaving
    assert said_of(carried, Conditions(dict.fromkeys(leaving, 0))) == []
