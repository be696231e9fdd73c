"""The watch over sessions: what it counts, cuts and wakes, and in which order. No thread, no clock."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TypeVar

import pytest

from controller.pipeline.fields import LABEL_INITIATOR, LABEL_RESPONDER
from controller.pools.conntrack import LOOK_S
from controller.runtime.commands.base import Command
from controller.runtime.commands.members import DrainMember
from controller.runtime.commands.sessions import (
    NoteConnections,
    NoteForgotten,
    ReadCountsWanted,
    ReadSessionWork,
    WakeUp,
)
from controller.runtime.commands.suspicion import MakeDecisions
from controller.runtime.session_watch import CARE_S, SessionWatch
from controller.suspicion.codec import read_request
from controller.suspicion.floods import AT_ONCE
from controller.sync.outcomes import Port, PortChanged
from tests.world import FakeChannel, World

R = TypeVar("R")
_ROUTER, _PROXY1, _PROXY2 = 0x02_BB_00_00_00_01, 0x02_CC_00_00_00_01, 0x02_CC_00_00_00_02


def session(port: int, member: int = _PROXY1, client: str = "198.51.100.10") -> str:
    """Return a line as Open vSwitch prints it, of a client's session with a gateway."""
    ends = f"src={client},dst=203.0.113.10,sport={port},dport=25"
    label = f"labels={(member << LABEL_RESPONDER | _ROUTER << LABEL_INITIATOR):#x}"
    states = "state_orig=ESTABLISHED,state_reply=ESTABLISHED"
    return f"tcp,orig=({ends}),reply=(),zone=11,{label},protoinfo=({states})"


class Watched(World):
    """A controller whose switch knows `lines`, and all that the watch asks of it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Sequence[str] | None = []
        self.asked: list[Command[object]] = []
        self.watch = SessionWatch(self._hear, lambda: self.lines)
        self.start()
        self.channel = self.connect()
        self.settle(self.channel)

    def _hear(self, command: Command[R]) -> R:
        self.asked.append(command)
        return self.handle(command)

    def care(self) -> float:
        """One step, and what the switch makes of it."""
        self.asked.clear()
        pause_s = self.watch.care()
        self.settle(self.channel)
        return pause_s

    @property
    def did(self) -> list[str]:
        reads = (ReadSessionWork, ReadCountsWanted)
        return [type(each).__name__ for each in self.asked if not isinstance(each, reads)]

    def set_port(self, number: int, is_down: bool) -> None:
        self.hear(1, self.channel, PortChanged(Port(number, "02:70:00:00:00:01", "p", is_down), False))

    def away_and_back(self) -> FakeChannel:
        """The switch's connection ends, the watch hears of it, and a new one begins."""
        self.disconnect(1, self.channel)
        self.watch.on_disconnected(1)
        self.channel = self.connect(switch=self.channel.switch)
        return self.channel


@pytest.fixture
def world() -> Watched:
    return Watched()


def test_the_lines_of_these_tests_are_sessions_with_members(world: Watched) -> None:
    world.lines = [session(4000), session(4001, _PROXY2)]
    counts = world.watch.count()
    assert counts is not None
    assert counts.sessions == {"02:cc:00:00:00:01": 1, "02:cc:00:00:00:02": 1}


def test_sessions_that_cannot_be_listed_are_not_counted(world: Watched) -> None:
    world.lines = None
    assert world.watch.count() is None
    assert world.watch.look() == LOOK_S
    assert world.did == []


def test_a_count_that_can_no_longer_be_repeated_is_forgotten(world: Watched) -> None:
    world.handle(DrainMember("proxy1", True))
    world.lines = [session(4000)]
    world.watch.look()
    assert world.core.roster.find("proxy1").sessions == 1
    world.lines = None
    world.watch.look()
    assert world.core.roster.find("proxy1").sessions is None


def test_nothing_is_counted_while_no_member_can_be_empty_or_full(world: Watched) -> None:
    world.lines = [session(4000)]
    assert world.watch.look() == LOOK_S
    assert world.did == []


def test_sessions_are_counted_while_a_member_is_drained(world: Watched) -> None:
    world.handle(DrainMember("proxy1", True))
    world.lines = [session(4000)]
    world.watch.look()
    assert world.did == ["NoteCounts"]
    assert world.core.roster.find("proxy1").sessions == 1


def test_a_source_with_very_many_connections_is_noted(world: Watched) -> None:
    world.lines = [session(port) for port in range(AT_ONCE)]
    world.watch.look()
    (noted,) = [each for each in world.asked if isinstance(each, NoteConnections)]
    assert noted.open_by_source == {ip_address("198.51.100.10"): AT_ONCE}


def test_a_long_list_is_asked_for_less_often(world: Watched) -> None:
    world.lines = [session(port % 60_000, client=f"10.0.{port % 250}.7") for port in range(20_000)]
    assert world.watch.look() > LOOK_S


def test_while_nothing_is_due_sessions_are_not_even_listed(world: Watched) -> None:
    world.watch = SessionWatch(world._hear, lambda: pytest.fail("listed"))
    assert world.care() == CARE_S
    assert world.did == []


def test_sessions_of_a_member_that_is_gone_are_forgotten_first_and_woken_up_then(world: Watched) -> None:
    world.lines = [session(4000), session(4001, _PROXY2)]
    world.set_port(4, is_down=True)
    world.settle(world.channel)
    world.care()
    assert world.did == ["CutOrphans"]
    assert [each.source_port for each in world.channel.forgotten] == [4000]
    assert world.channel.woken == []
    world.care()
    assert world.did == ["WakeUp"]
    assert [each.source_port for _, each in world.channel.woken] == [4000]


def test_orphans_wait_for_the_switches_to_choose_other_members_and_not_for_ever(world: Watched) -> None:
    world.lines = [session(4000)]
    world.set_port(4, is_down=True)  # the switch has not answered the plan
    steps = 0
    while not (world.asked and "CutOrphans" in world.did):
        world.asked.clear()
        world.watch.care()
        steps += 1
    assert steps == 21


def test_orphans_that_cannot_be_listed_are_tried_again_after_a_while(world: Watched) -> None:
    world.set_port(4, is_down=True)
    world.settle(world.channel)
    world.lines = None
    assert world.care() == LOOK_S
    world.lines = [session(4000)]
    assert world.care() == CARE_S
    assert world.did == ["CutOrphans"]


def test_sessions_that_a_decision_ends_are_cut_once_the_switches_know_it(world: Watched) -> None:
    world.lines = [session(4000, client="198.51.100.66"), session(4001)]
    decision = {"value": "198.51.100.66", "action": "drop", "sessions": "cut"}
    world.handle(MakeDecisions((read_request(decision),)))
    world.asked.clear()
    world.watch.care()
    assert world.did == []
    world.settle(world.channel)
    world.care()
    assert world.did == ["CutDecided"]
    assert [each.source_port for each in world.channel.forgotten] == [4000]
    world.care()
    assert world.did == ["WakeUp"]


def test_what_a_restarted_switch_forgot_is_woken_up_once_it_has_its_flows_again(
    world: Watched,
) -> None:
    world.lines = [session(port) for port in range(4_000, 4_250)]
    world.watch.look()
    world.away_and_back()
    world.lines = [session(4_000)]
    world.asked.clear()
    world.watch.care()
    assert world.did == []  # it is connected, and not read yet
    world.settle(world.channel)
    world.care()
    (noted,) = [each for each in world.asked if isinstance(each, NoteForgotten)]
    assert (noted.dpid, len(noted.connections)) == (1, 249)
    woken = []
    for _ in range(3):
        world.care()
        woken += [len(each.connections) for each in world.asked if isinstance(each, WakeUp)]
    assert woken == [200, 49]


def test_a_switch_that_comes_back_with_its_sessions_is_left_alone(world: Watched) -> None:
    world.lines = [session(4000)]
    world.watch.look()
    world.away_and_back()
    world.settle(world.channel)
    world.care()
    assert world.did == ["NoteForgotten"]
    assert world.events("SessionsForgotten") == []
    world.care()
    assert world.did == []


def test_sessions_cut_meanwhile_are_woken_up_before_those_that_a_switch_forgot(world: Watched) -> None:
    world.lines = [session(port, _PROXY2) for port in range(4_000, 4_250)] + [session(5000)]
    world.watch.look()
    world.away_and_back()
    world.settle(world.channel)
    world.lines = [session(5000)]
    world.set_port(4, is_down=True)
    world.settle(world.channel)
    world.care()
    assert {"CutOrphans", "NoteForgotten"} <= set(world.did)
    world.care()
    (first,) = [each for each in world.asked if isinstance(each, WakeUp)]
    assert [each.source_port for each in first.connections] == [5000]
