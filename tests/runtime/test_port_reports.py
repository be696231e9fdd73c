"""Bursts of port reports: noted one by one, looked at once."""

import pytest

from controller.drift.model import Difference
from controller.drift.settings import SeenSwitch, compare
from controller.pools.members import MemberState
from controller.runtime.commands.members import ListPools
from controller.runtime.events import OutcomeReceived
from tests.runtime.test_runtime import connected
from tests.runtime.test_switch_settings import differences, turn
from tests.world import FakeChannel, World


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[SeenSwitch]:
    """All looks at the ports of a switch."""
    found: list[SeenSwitch] = []

    def look(seen: SeenSwitch) -> tuple[Difference, ...]:
        found.append(seen)
        return compare(seen)

    monkeypatch.setattr("controller.runtime.switch_settings.compare", look)
    return found


def burst(world: World, channel: FakeChannel, messages: list[bytes]) -> None:
    """Let a switch report more than the loop can take up before more has come."""
    for outcome in channel.heard(messages):
        world.runtime.on(OutcomeReceived(1, channel, outcome))


def test_a_burst_of_a_thousand_port_reports_leads_to_one_look(world: World, looks: list[SeenSwitch]) -> None:
    channel = connected(world)
    looks.clear()
    burst(world, channel, [channel.switch.add_port(number, f"spy{number}") for number in range(100, 1100)])
    assert looks == []
    world.runtime.catch_up()
    assert len(looks) == 1
    assert len(differences(world)) == 1_000
    (event,) = world.events("DriftFound")
    assert event["count"] == 1_000


def test_a_burst_that_does_not_end_is_looked_at_all_the_same(world: World) -> None:
    channel = connected(world)
    burst(world, channel, [channel.switch.add_port(77, "spy")])
    assert not world.runtime.is_overdue
    world.now += 0.3
    burst(world, channel, [channel.switch.add_port(78, "spy2")])
    assert world.runtime.is_overdue


def test_a_request_is_answered_for_the_ports_that_were_reported_before_it(world: World) -> None:
    channel = connected(world)
    turn(world, channel)
    burst(world, channel, [channel.switch.remove_port(4)])
    pools = world.handle(ListPools())
    members = [each.member for pool in pools for each in pool.members]
    (proxy1,) = [each for each in members if each.name == "proxy1"]
    assert proxy1.state is MemberState.DOWN
    assert differences(world) == ["missing port: interface p4 as port 4, for proxy1"]
