"""Joins keep every packet, and leave out what says nothing new."""

from dataclasses import replace

import pytest

from controller.pipeline.fields import EthType
from controller.pipeline.tables import Table
from controller.proof import dims
from controller.proof.commits import Commits, ConnectionSet, Tuple5
from controller.proof.dims import Box
from controller.proof.engine import Engine
from controller.proof.read import read_switch
from controller.proof.space import space_of
from tests.proof.networks import network_of


@pytest.fixture(scope="module")
def engine() -> Engine:
    network = network_of("demo")
    switches = {name: read_switch(state) for name, state in network.switches.items()}
    return Engine(space_of(network.policy, switches), switches)


def _box(engine: Engine, **masks: int) -> Box:
    """All packets of the first sender, limited by some masks, which are given by the name of a dimension."""
    box = [*engine.space.everything, 0, 0]
    box[dims.SENDER] = 1
    for name, mask in masks.items():
        box[getattr(dims, name)] = mask
    assert engine.narrower.narrow(box, (1 << dims.MASKS) - 1)
    return tuple(box)


def test_a_box_inside_another_is_left_out(engine: Engine) -> None:
    large, small = _box(engine, PROTO=0b1100), _box(engine, PROTO=0b0100, ICMP_TYPE=0b110)
    assert engine.joiner.join([small, large]) == [large]


def test_a_box_is_kept_if_what_is_tied_in_the_other_leaves_packets_of_it_out(engine: Engine) -> None:
    large, small = _box(engine, PROTO=0b1100), _box(engine, PROTO=0b0100, ICMP_TYPE=0b110)
    tie = engine.ties.tie(dims.PROTO, (dims.ICMP_TYPE,), {2: (0b010,), 3: (0b100,)})
    tied = (*large[: dims.TIES], engine.ties.number([tie]))
    assert small in engine.joiner.join([small, tied])


def test_both_versions_of_a_senders_packets_become_one_box(engine: Engine) -> None:
    four = _box(engine, ETH_TYPE=engine.space.value(dims.ETH_TYPE, EthType.IPV4))
    six = _box(engine, ETH_TYPE=engine.space.value(dims.ETH_TYPE, EthType.IPV6))
    assert four[dims.PROTO] != six[dims.PROTO], "only IPv6 hides its protocol"
    (both,) = engine.joiner.join([four, six])
    for each in (four, six):
        limits = [(dims.ETH_TYPE, each[dims.ETH_TYPE])]
        assert engine.narrower.intersect(both, limits) == each


def test_connections_of_both_versions_are_told_apart_again(engine: Engine) -> None:
    space = engine.space
    tuple5 = Tuple5(1, space.version(4), space.version(4), 1, 1)
    four = ConnectionSet(tuple5, 1, 2, 0, 1, None, None)
    six = replace(four, tuple5=tuple5._replace(src=space.version(6), dst=space.version(6)))
    commits = Commits(engine, {})
    ((both, is_fresh),) = commits._both_versions([(four, True), (six, True)])
    assert is_fresh and set(both.by_version(space)) == {four, six}
    assert len(commits._both_versions([(four, True), (six, False)])) == 2


def test_a_table_that_drops_all_packets_of_a_box_says_so(engine: Engine) -> None:
    forward = engine.tables.of("s1", Table.FORWARD)
    unknown = engine.space.domain(dims.ETH_DST).masks[0, 0] & 1
    assert not forward.may_match(_box(engine, ETH_DST=unknown))
    assert forward.may_match(_box(engine))
