"""Connections to a tenant's server that come about, or greet, late; by a clock of the test."""

import asyncio
import socket
from ipaddress import ip_address

import pytest
import uvloop

from services.base.sockets import begin_connect
from services.mail.io import connections
from services.mail.io.connections import TenantServer, TenantWire
from services.mail.io.driver import Driver
from services.mail.io.wire import Outbox, Sweeper
from services.mail.relay.ports import ServerUnreachable

LOOPBACK = ip_address("127.0.0.1")


def connect(listener: socket.socket, greets_after_s: float, patience_s: float) -> str:
    """Return the greeting, or why there is none. Time flies."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        began = loop.time()
        sweeper = Sweeper(lambda: 100 * (loop.time() - began))
        sweeper.PERIOD_S = 0.001
        sweeping = loop.create_task(sweeper.run())
        accepting = loop.create_task(greet(loop))
        outbox, ended = Outbox(loop.call_soon), loop.create_future()
        way = TenantServer(
            lambda: TenantWire(loop, sweeper, outbox),
            (LOOPBACK, 0),
            (LOOPBACK, listener.getsockname()[1]),
            False,
        )

        async def dialogue() -> None:
            try:
                wire = await way.connect()
            except ServerUnreachable as error:
                heard.append(str(error))
                return
            heard.append(wire.buffer.decode())
            wire.abort()

        heard: list[str] = []
        Driver(dialogue(), ended.set_result).step()
        try:
            assert await asyncio.wait_for(ended, patience_s / 50) is None
        finally:
            accepting.cancel()
            sweeping.cancel()
        return heard[0]

    async def greet(loop: asyncio.AbstractEventLoop) -> None:
        connection, _ = await loop.sock_accept(listener)
        with connection:
            await asyncio.sleep(greets_after_s / 100)
            await loop.sock_sendall(connection, b"220 mx\r\n")
            await asyncio.sleep(10)

    return uvloop.run(main())


@pytest.fixture
def listener() -> socket.socket:
    made = socket.create_server(("127.0.0.1", 0))
    made.setblocking(False)
    return made


@pytest.mark.parametrize("has_clients_port", [False, True])
@pytest.mark.parametrize("greets_after_s", [0.0, 6.0, 30.0])
def test_a_server_that_takes_its_time_to_greet_is_waited_for(
    listener: socket.socket, greets_after_s: float, has_clients_port: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postfix's postscreen lets clients that it does not know wait for 6 seconds."""
    monkeypatch.setattr(connections, "begin_connect", lambda *end: (begin_connect(*end)[0], has_clients_port))
    with listener:
        assert connect(listener, greets_after_s, 60) == "220 mx\r\n"


def test_a_server_that_never_greets_is_given_up(listener: socket.socket) -> None:
    with listener:
        assert connect(listener, 1_000.0, 100) == "the server did not answer in time"
