"""One lab for all tests that want one. A test that took it down costs the next one a few seconds."""

import atexit
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab.lab import Lab
from lab.paths import REPOSITORY, LabPaths
from lab.processes import Process
from lab.trace_logs import Reader
from services.base.files import remove_tree

_CALM = "health: {slow_start: 0s, hold_down: 0s}"
# Tests knock at every door; what would be decided about them must not change what the next one meets.
UNSUSPICIOUS = "\nsuspicion: {simulate: true}\n"


def _calmed() -> Path:
    """Write our policies so that members are taken back at once: tests kill them again and again."""
    directory = Path(tempfile.mkdtemp(prefix="postern-lab-policies-"))
    atexit.register(remove_tree, directory)
    for file in (REPOSITORY / "policies").glob("*.yaml"):
        (directory / file.name).write_text(
            file.read_text(encoding="utf-8").replace("health: agent", _CALM) + UNSUSPICIOUS, encoding="utf-8"
        )
    return directory


POLICIES = _calmed()
POLICY = POLICIES / "demo.yaml"


def await_in_step(api: ApiClient) -> None:
    """Return when the switches do what they were told.

    What Open vSwitch has cached follows its tables only a moment after the barrier.
    """
    deadline = time.monotonic() + 60
    while not _are_in_step(status := api.get("/v1/status")):
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    subprocess.run(["ovs-appctl", "--timeout=10", "revalidator/wait"], capture_output=True)


def _are_in_step(status: dict[str, Any]) -> bool:
    is_held_back = "waits for its proof" in status.get("summary", "")
    return not is_held_back and all(row["phase"] == "in step" for row in status["switches"])


class House:
    """Keeps a lab up between tests, in a place of its own, so that nobody's own lab is touched."""

    def __init__(self) -> None:
        self.lab = Lab(LabPaths(Path("/run/postern/test-lab")), is_attended=True)
        self._network: Process | None = None
        self._topology = ""

    def open(self, topology: str = "demo") -> Lab:
        if topology != self._topology:
            self.close()
        if self._network is None or not self._network.is_alive:
            self.lab.up(topology, POLICIES / f"{topology}.yaml")
            self._network = next(row.process for row in self.lab.status() if row.part.name == "network")
            self._topology = topology
        return self.lab

    def close(self) -> None:
        self.lab.down()
        self._network = None


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    house = House()
    try:
        yield house
    finally:
        house.close()


@pytest.fixture
def lab(house: House) -> Lab:
    """A lab that is up and well."""
    return house.open()


@pytest.fixture
def bare(house: House) -> Iterator[Lab]:
    """A lab that is down, and is down again afterwards."""
    house.close()
    yield house.lab
    house.close()


@pytest.fixture
def reader(lab: Lab) -> Reader:
    return Reader(lab.scene())
