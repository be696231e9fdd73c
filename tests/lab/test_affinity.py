"""A client keeps its gateway, over both families, as long as that gateway takes new sessions."""

import time
from collections.abc import Iterator

import pytest

from controller.api.client import ApiClient
from lab.lab import Lab
from lab.services import gateways
from lab.services.controllers import api_address
from tests.journals import read_journal
from tests.lab.conftest import POLICY, await_in_step
from tests.lab.test_sessions_held import Session, apply

pytestmark = pytest.mark.lab

_PROXIES = ("proxy1", "proxy2")
_STICKY = POLICY.read_text(encoding="utf-8").replace(
    "kind: mail-proxy\n", "kind: mail-proxy\n    affinity: 2m\n"
)
_SERVERS = {4: "203.0.113.10", 6: "2001:db8:a::10"}
families = pytest.mark.parametrize("family", _SERVERS)


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    api = ApiClient(api_address(lab.places))
    apply(api, _STICKY)
    yield api
    apply(api, POLICY.read_text(encoding="utf-8"))
    for name in _PROXIES:
        api.post(f"/v1/members/{name}", {"drained": False})


def opened(lab: Lab) -> dict[str, list[str]]:
    """Return the address and port of each client that has ever come, by proxy, as the journals say."""
    journals = {name: gateways.journal(lab.places, name) for name in _PROXIES}
    return {
        name: [event["client"] for event in read_journal(journal, "SessionOpened")]
        for name, journal in journals.items()
    }


def visited(lab: Lab, family: int, count: int = 12) -> set[str]:
    """Open some sessions from one client; return the proxies that got them."""
    before, clients = opened(lab), set()
    for _ in range(count):
        session = Session(lab.places.pin("sender"), _SERVERS[family], "acme")
        clients.add(session.client)
        session.close()
    deadline = time.monotonic() + 30  # journals are written in batches
    while True:
        since = {name: clients.intersection(ever[len(before[name]) :]) for name, ever in opened(lab).items()}
        if sum(map(len, since.values())) == count:
            return {name for name, found in since.items() if found}
        assert time.monotonic() < deadline, since
        time.sleep(0.05)


@families
def test_a_client_keeps_its_gateway(lab: Lab, api: ApiClient, family: int) -> None:
    assert len(visited(lab, family)) == 1
    before = visited(lab, family)
    assert visited(lab, family) == before


@families
def test_a_client_moves_when_its_gateway_drains_and_stays_where_it_went(
    lab: Lab, api: ApiClient, family: int
) -> None:
    (first,) = visited(lab, family)
    assert api.post(f"/v1/members/{first}", {"drained": True})["is_confirmed"]
    await_in_step(api)
    (second,) = visited(lab, family)
    assert second != first
    api.post(f"/v1/members/{first}", {"drained": False})
    await_in_step(api)
    assert visited(lab, family) == {second}


def test_a_client_keeps_its_gateway_while_no_controller_runs(lab: Lab, api: ApiClient) -> None:
    before = visited(lab, 4)
    lab.stop("controller", 0)
    try:
        assert visited(lab, 4) == before
    finally:
        lab.start("controller")
