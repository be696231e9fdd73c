"""What a port's first answer says about it."""

import asyncio
import socket
from ipaddress import IPv4Address

import pytest

from services.fingerprint.client import Connection, Manners, Place, PortState, knock


def state_of_a_port_that_answers(error: type[OSError], monkeypatch: pytest.MonkeyPatch) -> PortState:
    async def fail(*_: object) -> Connection:
        raise error

    monkeypatch.setattr(Connection, "open", fail)
    return asyncio.run(knock(Place(IPv4Address("127.0.0.1"), 25), Manners()))


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ConnectionRefusedError, PortState.RESET),
        (ConnectionResetError, PortState.OPEN),
        (BrokenPipeError, PortState.OPEN),
        (TimeoutError, PortState.SILENT),
        (OSError, PortState.UNREACHABLE),
    ],
)
def test_each_failure_to_connect_says_how_the_port_is(
    error: type[OSError], state: PortState, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state_of_a_port_that_answers(error, monkeypatch) is state


def test_a_port_where_somebody_listens_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = Place(IPv4Address("127.0.0.1"), listener.getsockname()[1])
        assert asyncio.run(knock(place, Manners())) is PortState.OPEN
