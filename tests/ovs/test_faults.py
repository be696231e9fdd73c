"""Faults of what is installed: the proof finds every one that lets a real frame through, and few others.

200 faults, in parts that run side by side: 120 of the demo, 50 of the minimal policy, 20 with affinity, and
10 of the ring, whose proofs take longer.

A longer run: POSTERN_FAULTS=2000 POSTERN_FRAMES_SEED=7 make frames
"""

from collections.abc import Iterator
from random import Random

import pytest

from controller.compiler.compile import compile_policy
from controller.openflow.encode import to_wire
from tests.ovs.dummy import DummyOvs
from tests.ovs.frames.faults import Fault, Faults
from tests.ovs.frames.hosts import Cast
from tests.ovs.frames.network import NetworkUnderTest
from tests.ovs.frames.policies import cases
from tests.ovs.frames.seeds import FAULTS, SEED
from tests.ovs.frames.trial import Trial, Verdict

pytestmark = pytest.mark.ovs

_PARTS = [
    (name, part)
    for name, count in (("demo", 12), ("minimal", 5), ("affinity", 2), ("ring", 2))
    for part in range(count)
]
_PER_PART = max(1, FAULTS // 20)
_PER_PART_OF_MANY = max(1, FAULTS // 40)  # with four switches
_MOST_FALSE = 0.02  # of all faults


def tried(ovs: DummyOvs, name: str, seed: int) -> list[Verdict]:
    """Return what becomes of some random faults of one policy."""
    case = cases()[name]
    cast = Cast(case.policy)
    with NetworkUnderTest(ovs, case.policy) as network:
        states = compile_policy(case.policy, case.conditions)
        network.install(states)
        trial = Trial(case, cast, network, {name: to_wire(state) for name, state in states.items()})
        chance = Random(seed)
        faults = Faults(chance, cast, network)
        verdicts: list[Verdict] = []
        count = _PER_PART if len(case.policy.switches) == 1 else _PER_PART_OF_MANY
        while len(verdicts) < count:
            if verdict := trial.of(faults.draw(), chance.randrange(1 << 30)):
                verdicts.append(verdict)
    return verdicts


@pytest.fixture(scope="module")
def all_verdicts() -> Iterator[list[Verdict]]:
    """All faults that were tried. Few alarms are false, or none if few faults were tried."""
    verdicts: list[Verdict] = []
    yield verdicts
    false = [each.fault.what for each in verdicts if each.is_false_alarm]
    assert len(false) <= _MOST_FALSE * len(verdicts), false


@pytest.mark.parametrize(("name", "part"), _PARTS)
def test_every_fault_that_lets_a_frame_through_is_found(
    ovs: DummyOvs, all_verdicts: list[Verdict], name: str, part: int
) -> None:
    verdicts = tried(ovs, name, 1_000 * SEED + part)
    all_verdicts += verdicts
    alarms = [each for each in verdicts if each.alarms]
    false = [each.fault.what for each in alarms if each.is_false_alarm]
    shown, held = [each for each in alarms if each.is_shown], [each for each in alarms if each.is_held]
    counts = f"{len(alarms)} alarms, {len(shown)} shown, {len(held)} about held pieces, {len(false)} false"
    print(f"{name}: {len(verdicts)} faults, {counts}")
    assert [(each.fault.what, each.broken[0]) for each in verdicts if each.is_missed] == []
    assert [each.figures.not_foreseen for each in verdicts if each.figures.not_foreseen] == []


@pytest.mark.parametrize(
    "flow",
    [
        "table=0,priority=60000,actions=NORMAL",
        "table=9,priority=60000,tcp,tp_dst=25,actions=goto_table:13",
        "table=4,priority=60000,reg0=5,actions=set_field:1->reg0,goto_table:5",
        "table=15,priority=60000,dl_dst=02:cc:00:00:00:01,actions=output:2",
    ],
    ids=["NORMAL", "mail past the gateways", "decoys speak as the backbone", "a proxy's frames to a tenant"],
)
def test_a_foreign_flow_is_found_and_shown_by_a_frame(ovs: DummyOvs, flow: str) -> None:
    case = cases()["demo"]
    cast = Cast(case.policy)
    with NetworkUnderTest(ovs, case.policy) as network:
        states = compile_policy(case.policy)
        network.install(states)
        trial = Trial(case, cast, network, {name: to_wire(state) for name, state in states.items()})
        verdict = trial.of(Fault(flow, "s1", (("add-flow", flow),)), SEED)
    assert verdict is not None
    assert verdict.alarms
    assert verdict.is_shown
