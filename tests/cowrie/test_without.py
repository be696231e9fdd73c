"""Cowrie on a machine that lacks something: SSH at IPv4 goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cowrie.conftest import IDENTIFICATION, Decoy, begin
from tests.mail.conftest import stop
from tests.without import without

pytestmark = pytest.mark.cowrie


@pytest.fixture(params=["ipv6", "bpf"])
def lacking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Decoy]]:
    running = begin(tmp_path / "decoy", program=without(request.param, Decoy.program))
    yield request.param, running
    stop(running.process)


def test_ssh_is_answered_at_ipv4_without_a_feature(lacking: tuple[str, Decoy]) -> None:
    feature, decoy = lacking
    with decoy.connect() as connection:
        assert connection.recv(100).startswith(IDENTIFICATION.encode())
    assert len(decoy.events("Ipv6Missing")) == (feature == "ipv6")
    assert not decoy.events("ListenFailed")
