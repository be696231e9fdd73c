"""A tenant's limit that drops first packets: found from what the switches have counted."""

from dataclasses import replace

import pytest

from controller.ids import cookie_of
from controller.policy.limits import Limit, limits_of
from tests.runtime.test_runtime import connected
from tests.world import FakeChannel, World


@pytest.fixture
def channel(world: World) -> FakeChannel:
    return connected(world)


def limit_of(world: World, tenant: str) -> Limit:
    assert world.core.accepted is not None
    return next(
        each for each in limits_of(world.core.accepted.policy) if each.rule.startswith(f"tenants.{tenant}.")
    )


def pass_time(world: World, channel: FakeChannel, limit: Limit, packets: int) -> None:
    """Let as many packets match the flows of a limit, and let the controller look."""
    flows = channel.switch.tables.flows
    for key, flow in flows.items():
        if flow.cookie == cookie_of(limit.rule):
            flows[key] = replace(flow, packets=flow.packets + packets)
    world.tick(2.0)
    world.settle(channel)


def test_more_packets_than_the_limit_are_a_flood_until_they_are_fewer(
    world: World, channel: FakeChannel
) -> None:
    limit = limit_of(world, "acme")
    for packets in (0, 10, 0, 3 * limit.per_s, 0):
        pass_time(world, channel, limit, packets)
    assert [each["tenant"] for each in world.events("TenantFlooded")] == [limit.name]
    pass_time(world, channel, limit, 0)
    pass_time(world, channel, limit, 0)
    assert [each["tenant"] for each in world.events("FloodEnded")] == [limit.name]
