"""A decoy for each test that asks for one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.decoy.running import Running

Begin = Callable[..., Running]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    started: list[Running] = []

    def start(*flags: str, is_privileged: bool = True) -> Running:
        running = Running(tmp_path, flags, is_privileged)
        started.append(running)
        running.begin()
        return running

    yield start
    for running in started:
        running.close()


@pytest.fixture
def decoy(begin: Begin) -> Running:
    return begin()
