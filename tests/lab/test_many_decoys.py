"""Two decoys on two switches: balanced, alike to the last key, and neither is missed when it is cut off."""

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab import probes
from lab.lab import Lab
from lab.services import decoys
from lab.services.controllers import api_address
from tests.journals import read_journal
from tests.lab.conftest import await_in_step
from tests.lab.test_many_switches import await_ports, down

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]
_DARK = "203.0.113.40"
_SERVERS = ("203.0.113.10", "203.0.113.74")
_NAMES = ("decoy1", "decoy2")
_ATTACKER = "198.51.100.66"
_FTP = 21


@pytest.fixture
def ring(house: Any) -> Lab:
    lab: Lab = house.open("ring")
    return lab


@pytest.fixture
def api(ring: Lab) -> Iterator[ApiClient]:
    api = ApiClient(api_address(ring.places))
    yield api
    for origin in ("api", "postern"):
        api.delete(f"/v1/decisions?origin={origin}")


def greeting(lab: Lab, address: str, port: int) -> bytes:
    with probes.connect(lab.places.pin("attacker"), address, port, 20.0) as connection:
        return connection.recv(512)


def meetings(lab: Lab, kind: str) -> dict[str, int]:
    """Return how many connections of the attacker each decoy has written down."""

    def count(name: str) -> int:
        file = decoys.journal(lab.places, name, kind)
        return len(read_journal(file, "AttackerConnected", source=_ATTACKER))

    return {name: count(name) for name in _NAMES}


def await_that(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def new_meetings(lab: Lab, kind: str, before: dict[str, int], count: int) -> dict[str, int]:
    """Return what came to whom since, when at least so many came; a journal is written with a delay."""

    def since() -> dict[str, int]:
        now = meetings(lab, kind)
        return {name: now[name] - before[name] for name in _NAMES}

    return dict(await_that(lambda: (new := since()) and sum(new.values()) >= count and new))


def host_keys(lab: Lab) -> frozenset[str]:
    command = lab.command_in("attacker", ["ssh-keyscan", "-T", "20", "-t", "rsa,ecdsa,ed25519", _DARK])
    scanned = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    return frozenset(line for line in scanned.stdout.splitlines() if not line.startswith("#"))


def test_connections_are_balanced_over_both(ring: Lab) -> None:
    """One that another test has stopped gets few connections at first (slow start, 10 s)."""
    deadline = time.monotonic() + 40
    while min((new := _met_by_each(ring)).values()) < 3:
        assert time.monotonic() < deadline, new


def _met_by_each(ring: Lab) -> dict[str, int]:
    """Return how many of 24 connections each decoy got."""
    before = meetings(ring, "decoy")
    for _ in range(24):
        assert greeting(ring, _DARK, _FTP).startswith(b"220 ")
    return new_meetings(ring, "decoy", before, 24)


def test_both_have_the_same_host_keys_at_an_address(ring: Lab) -> None:
    before, seen = meetings(ring, "cowrie"), set()
    for _ in range(20):
        seen.add(host_keys(ring))
        if all(new_meetings(ring, "cowrie", before, 1).values()):
            break
    else:
        pytest.fail("one of them was never met")
    (keys,) = seen
    assert len(keys) == 3


def test_a_decided_sources_way_to_a_real_server_leads_to_a_decoy_on_another_switch(
    ring: Lab, api: ApiClient
) -> None:
    before = meetings(ring, "decoy")
    api.post("/v1/decisions", {"decisions": [{"value": _ATTACKER, "action": "decoy"}]})
    await_in_step(api)
    for server in _SERVERS * 4:
        assert greeting(ring, server, 25).startswith(b"220 ")
    assert new_meetings(ring, "decoy", before, 8)
    for server in _SERVERS:
        assert probes.takes_mail(ring.places.pin("sender"), server) == "", "others meet the server itself"


def test_one_that_is_cut_off_is_not_missed(ring: Lab) -> None:
    with down(ring, "s4-eth3"):
        await_ports(ring, 1)
        before = meetings(ring, "decoy")
        for _ in range(12):
            assert greeting(ring, _DARK, _FTP).startswith(b"220 ")
        assert new_meetings(ring, "decoy", before, 12) == {"decoy1": 12, "decoy2": 0}
        assert probes.takes_mail(ring.places.pin("sender"), _SERVERS[0]) == ""
