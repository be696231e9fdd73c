import pytest

from tests.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.start()
    return world
