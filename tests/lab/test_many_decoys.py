"""Two decoys on two switches: who comes back meets the same one, and neither is missed when it dies."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab import probes
from lab.lab import Lab
from lab.services import decoys
from lab.services.controllers import api_address

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]
_DARK = ("203.0.113.40", "203.0.113.41", "203.0.113.100")
_SERVERS = ("203.0.113.10", "203.0.113.74")
_NAMES = ("decoy1", "decoy2")


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


def greeting(lab: Lab, host: str, address: str, port: int = 22) -> bytes:
    with probes.connect(lab.places.pin(host), address, port, 20.0) as connection:
        return connection.recv(512)


def met(lab: Lab, source: str) -> list[str]:
    """Return which decoy wrote each connection of a source down, in the order of their coming."""
    found = []
    for name in _NAMES:
        file = decoys.journal(lab.places, name, "cowrie")
        for line in file.read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "connection" and event["source"] == source:
                found.append((event["at"], name))
    return [name for _, name in sorted(found)]


def await_that(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def new(lab: Lab, source: str, count: int, before: int) -> set[str]:
    return set(await_that(lambda: len(met(lab, source)) >= before + count and met(lab, source)[before:]))


def test_who_comes_back_meets_the_same_decoy_at_every_address_of_every_tenant(
    ring: Lab, api: ApiClient
) -> None:
    for host, source in (("attacker", "198.51.100.66"), ("partner", "198.51.100.200")):
        before = len(met(ring, source))
        for address in _DARK:
            assert greeting(ring, host, address).startswith(b"SSH-2.0-")
        assert len(new(ring, source, len(_DARK), before)) == 1


def test_health_says_that_both_are_well_and_writes_nothing_down(ring: Lab, api: ApiClient) -> None:
    (pool,) = [pool for pool in api.get("/v1/pools") if pool["name"] == "decoys"]
    assert [member["state"] for member in pool["members"]] == ["up", "up"]
    for name in _NAMES:
        for kind in decoys.KINDS:
            text = decoys.journal(ring.places, name, kind).read_text()
            probed = [json.loads(line) for line in text.splitlines() if '"203.0.113.62"' in line]
            assert [event for event in probed if event.get("source") == "203.0.113.62"] == []


def test_a_decided_sources_way_to_a_real_server_leads_to_a_decoy_on_another_switch(
    ring: Lab, api: ApiClient
) -> None:
    api.post("/v1/decisions", {"decisions": [{"value": "198.51.100.66", "action": "decoy"}]})
    for server in _SERVERS:
        assert greeting(ring, "attacker", server, 25).startswith(b"220 mx.")
    for name in _SERVERS:
        assert probes.takes_mail(ring.places.pin("sender"), name) == "", "others meet the server itself"


def test_a_decoy_that_is_killed_is_replaced_by_the_other_while_mail_goes_on(
    ring: Lab, api: ApiClient
) -> None:
    source, before = "198.51.100.66", len(met(ring, "198.51.100.66"))
    greeting(ring, "attacker", _DARK[0])
    (mine,) = new(ring, source, 1, before)
    other = next(name for name in _NAMES if name != mine)
    ring.stop(f"{mine}.cowrie", patience_s=0.0)  # killed
    try:

        def is_out() -> bool:
            rows = [row for pool in api.get("/v1/pools") for row in pool["members"] if row["name"] == mine]
            return bool(rows[0]["state"] == "down")

        while not is_out():
            assert probes.takes_mail(ring.places.pin("sender"), _SERVERS[0]) == ""
        before = len(met(ring, source))
        assert greeting(ring, "attacker", _DARK[0]).startswith(b"SSH-2.0-")
        assert new(ring, source, 1, before) == {other}
    finally:
        ring.start(f"{mine}.cowrie")
