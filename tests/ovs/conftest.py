import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ovs.dummy import DummyOvs
from tests.ovs.edge import EdgeUnderTest


@pytest.fixture
def ovs() -> Iterator[DummyOvs]:
    # A unix socket's path holds about 100 characters, less than pytest's own directories.
    with tempfile.TemporaryDirectory(prefix="pt-") as directory:
        switches = DummyOvs(Path(directory))
        try:
            switches.start()
            yield switches
        finally:
            switches.stop()


@pytest.fixture
def edge(ovs: DummyOvs) -> EdgeUnderTest:
    return EdgeUnderTest(ovs)
