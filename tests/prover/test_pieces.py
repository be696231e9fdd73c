"""A question crosses as what differs from the one before, and arrives whole."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random

import pytest

from controller.compiler.compile import compile_policy
from controller.openflow.encode import to_wire
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from controller.proof.model import NetworkState
from controller.proof.prove import prove
from controller.prover.frames import FrameError, FrameKind, FrameReader, encode_frame
from controller.prover.pieces import QuestionReader, pieces_of
from controller.prover.question import Question
from controller.sync.state import WireFlow, WireKey, WireState
from tests.prover.conftest import DEMO, WIRES, question
from tests.world import POLICIES

WHOLE = WIRES["s1"]
KEPT = "kind: mail-proxy\n    affinity: 1m"


def taken(reader: QuestionReader, pieces: Iterable[bytes]) -> NetworkState:
    """Return what arrives when some pieces are read."""
    frames = FrameReader(1 << 26)
    asked = [reader.take(kind, body) for piece in pieces for kind, body in frames.feed(piece)]
    assert asked[-1] is not None
    return asked[-1][1]


def some_state(chance: Random) -> WireState:
    """The demo's state, with some flows missing and some changed, and fewer groups."""
    flows = dict(WHOLE.flows)
    for key in chance.sample(sorted(flows), chance.randrange(len(flows))):
        if chance.random() < 0.5:
            del flows[key]
        else:
            flows[key] = replace(flows[key], cookie=chance.getrandbits(64))
    groups = {number: each for number, each in WHOLE.groups.items() if chance.random() < 0.8}
    return replace(WHOLE, flows=flows, groups=groups)


def as_sent(state: WireState) -> dict[object, WireFlow]:
    """When a flow expires does not cross: the proof lets every flow stay."""
    return {key: replace(flow, expires=0) for key, flow in state.flows.items()}


@pytest.mark.parametrize("seed", range(20))
def test_a_question_arrives_whole_whatever_the_one_before_was(seed: int) -> None:
    chance = Random(seed)
    reader, known = QuestionReader(), None
    for number in range(4):
        names = chance.sample(["s1", "s2", "s3"], chance.randint(1, 3))
        kept: Mapping[str, WireState] = known.switches if known else {}
        switches = {
            name: kept[name] if name in kept and chance.random() < 0.3 else some_state(chance)
            for name in names
        }
        asked = replace(question(number), switches=switches)
        network = taken(reader, pieces_of(asked, known))
        assert {name: as_sent(state) for name, state in network.switches.items()} == {
            name: as_sent(state) for name, state in switches.items()
        }
        assert [state.groups for state in network.switches.values()] == [
            switches[name].groups for name in network.switches
        ]
        known = asked


def test_flows_that_a_switch_learns_cross_as_they_are() -> None:
    policy = parse_policy(
        (POLICIES / "demo.yaml").read_text(encoding="utf-8").replace("kind: mail-proxy", KEPT), "kept.yaml"
    )
    wires = {name: to_wire(state) for name, state in compile_policy(policy).items()}
    assert any(state.learned for state in wires.values())
    asked = replace(question(1), policy=policy, switches=wires)
    network = taken(QuestionReader(), pieces_of(asked))
    assert network.switches["s1"].learned == wires["s1"].learned
    assert prove(network).is_proved


def test_what_has_arrived_before_does_not_change() -> None:
    reader, before = QuestionReader(), question(1)
    first = taken(reader, pieces_of(before))
    fewer = replace(WHOLE, flows={}, groups={})
    taken(reader, pieces_of(question(2, state=fewer), before))
    assert len(first.switches["s1"].flows) == len(WHOLE.flows)


def test_one_flow_more_crosses_alone() -> None:
    reader = QuestionReader()
    key = min(WHOLE.flows)
    before = question(1, state=replace(WHOLE, flows=without(key)))
    first = taken(reader, pieces_of(before))
    pieces = list(pieces_of(question(2), before))
    frames = [kind for kind, _ in FrameReader(1 << 26).feed(b"".join(pieces))]
    assert frames == [FrameKind.SWITCH, FrameKind.FLOWS, FrameKind.REST, FrameKind.ASK]
    second = taken(reader, pieces)
    assert all(second.switches["s1"].flows[k] is flow for k, flow in first.switches["s1"].flows.items())


def without(key: WireKey) -> dict[WireKey, WireFlow]:
    return {each: flow for each, flow in WHOLE.flows.items() if each != key}


def test_the_same_state_is_not_sent_again() -> None:
    before = question(1)
    pieces = b"".join(pieces_of(replace(before, number=2), before))
    assert [kind for kind, _ in FrameReader(1 << 26).feed(pieces)] == [FrameKind.ASK]


def test_of_an_edited_policy_only_the_edited_tenants_cross() -> None:
    text = (POLICIES / "demo.yaml").read_text(encoding="utf-8")
    edited = parse_policy(text.replace("mode: direct", "mode: proxy\n      proxies: proxies"), "edited.yaml")
    reader, before = QuestionReader(), question(1)
    first = taken(reader, pieces_of(before))
    second = taken(reader, pieces_of(replace(question(2), policy=edited), before))
    assert second.policy == replace(edited, places={})
    same = {tenant.name for tenant in first.policy.tenants if tenant in second.policy.tenants}
    assert 0 < len(same) < len(second.policy.tenants)
    assert same == {
        each.name for each in second.policy.tenants if any(each is old for old in first.policy.tenants)
    }


@pytest.mark.parametrize("names", [[], ["acme"], ["globex"]])
def test_tenants_that_left_are_gone(names: list[str]) -> None:
    fewer: Policy = replace(DEMO, tenants=tuple(each for each in DEMO.tenants if each.name in names))
    reader, before = QuestionReader(), question(1)
    taken(reader, pieces_of(before))
    after: Question = replace(question(2), policy=fewer)
    assert taken(reader, pieces_of(after, before)).policy == replace(fewer, places={})
    assert taken(reader, pieces_of(replace(question(3), policy=DEMO), after)).policy.tenants == DEMO.tenants


def test_pieces_of_a_question_whose_predecessor_was_not_read_are_refused() -> None:
    before = question(1)
    with pytest.raises(FrameError, match="without its pieces"):
        taken(QuestionReader(), pieces_of(replace(before, number=2), before))


def test_flows_of_a_switch_that_was_not_begun_are_refused() -> None:
    pieces = list(pieces_of(question(1)))
    begun = [piece for piece in pieces if piece and piece[5] != FrameKind.SWITCH]
    with pytest.raises(FrameError, match="s1, which was not begun"):
        taken(QuestionReader(), begun)


def test_a_frame_that_is_no_part_of_a_question_is_refused() -> None:
    with pytest.raises(FrameError, match="GREETING"):
        taken(QuestionReader(), [encode_frame(FrameKind.GREETING, b"")])
