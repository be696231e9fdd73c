"""Ways between switches: shortest, equal, around a dead trunk, and never in circles."""

from itertools import product

import pytest

from controller.policy.model import Link, Policy, PortRef, Switch
from controller.topology.fabric import Fabric, Trunk


def net(*links: str, broken: tuple[str, ...] = ()) -> Fabric:
    """Build a fabric from links such as `a1-b2`: switch a, port 1 to switch b, port 2."""
    ends = [tuple(map(port, link.split("-"))) for link in links]
    names = sorted({end.switch for pair in ends for end in pair})
    switches = tuple(Switch(name, number, "02:50:00:00:00:00") for number, name in enumerate(names, 1))
    return Fabric(Policy(switches, tuple(Link(a, b) for a, b in ends)), map(port, broken))


def port(text: str) -> PortRef:
    return PortRef(text[0], int(text[1:]))


def names(trunks: list[Trunk]) -> list[str]:
    return [f"{t.near.switch}{t.near.port}-{t.far.switch}{t.far.port}" for t in trunks]


RING = ("a1-b1", "b2-c1", "c2-d1", "d2-a2")


def test_neighbours_use_the_trunk_between_them() -> None:
    assert names(net(*RING).next_hops("a", "b")) == ["a1-b1"]


def test_two_ways_of_the_same_length_are_both_used() -> None:
    assert names(net(*RING).next_hops("a", "c")) == ["a1-b1", "a2-d2"]


def test_parallel_trunks_are_both_used() -> None:
    assert names(net("a1-b1", "a2-b2").next_hops("a", "b")) == ["a1-b1", "a2-b2"]


@pytest.mark.parametrize("end", ["a1", "b1"])
def test_a_broken_end_takes_the_trunk_out_in_both_directions(end: str) -> None:
    fabric = net(*RING, broken=(end,))
    assert names(fabric.next_hops("a", "b")) == ["a2-d2"]
    assert names(fabric.next_hops("b", "a")) == ["b2-c1"]


def test_a_switch_without_trunks_cannot_be_reached() -> None:
    fabric = net("a1-b1", broken=("a1",))
    assert fabric.next_hops("a", "b") == []
    assert not fabric.is_reachable("a", "b")
    assert fabric.is_reachable("a", "a")


def test_a_bypass_leads_around_its_trunk() -> None:
    assert names(net(*RING).bypass(Trunk(port("a1"), port("b1")))) == ["a2-d2", "d1-c2", "c1-b2"]


def test_a_parallel_trunk_is_the_shortest_bypass() -> None:
    assert names(net("a1-b1", "a2-b2").bypass(Trunk(port("a1"), port("b1")))) == ["a2-b2"]


def test_a_single_trunk_has_no_bypass() -> None:
    fabric = net("a1-b1", "b2-c1")
    assert fabric.bypass(Trunk(port("a1"), port("b1"))) == []
    assert fabric.bypasses == {}


def test_every_hop_brings_a_packet_nearer_whatever_single_trunk_is_broken() -> None:
    mesh = ("a1-b1", "b2-c1", "c2-d1", "d2-a2", "a3-c3", "b3-e1", "e2-d3")
    for link, (here, target) in product(mesh, product("abcde", repeat=2)):
        fabric = net(*mesh, broken=(link[:2],))
        seen, waiting = set(), [(here, 0)]
        while waiting:
            at, hops = waiting.pop()
            assert hops <= 4
            seen.add(at)
            waiting += [(trunk.far.switch, hops + 1) for trunk in fabric.next_hops(at, target)]
        assert target in seen


def test_tags_do_not_change_when_a_trunk_breaks() -> None:
    assert net(*RING).tags == net(*RING, broken=("a1",)).tags
