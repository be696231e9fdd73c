"""When a Cowrie is ended and the program stops at the same time; with a program that stands in for Cowrie."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from common.journal.events import Event
from common.wire.decoy import DecoySettings, DecoyTenant
from services.cowrie import instance
from services.cowrie.events import CowrieEvent
from services.cowrie.instance import Instance
from services.cowrie.process import Installed
from services.cowrie.routing import RoutingTable
from services.cowrie.state_directory import Account, StateDirectory
from services.cowrie.supervisor import CowrieSupervisor
from services.decoy.shared_identity import SharedIdentity
from services.decoy.tenants import Tenants
from services.personas.parse import parse_persona

pytestmark = pytest.mark.programs

IDENTITY = SharedIdentity(bytes(32), 1_700_000_000)
READY = "import os, socket, sys, time\nlink = socket.socket(fileno=int(sys.argv[1]))\n"
READY += 'link.sendall(b\'{"eventid": "postern.ready"}\\n\')\n'
ANSWERS_NOTHING = READY + "while link.recv(4096): pass\n"
# Its child has the link, too: the end of the program is not the end of the link.
HANGS_WITH_A_CHILD = READY + "if os.fork(): time.sleep(600)\n" + "while link.recv(4096): pass\n"


class StandIn(Installed):
    """What is installed is a few lines of Python."""

    script = ANSWERS_NOTHING

    def command(self, home: Path, descriptor: int) -> list[str]:
        return [sys.executable, "-c", self.script, str(descriptor)]


class Hanging(StandIn):
    script = HANGS_WITH_A_CHILD


class SlowToStart(StandIn):
    script = "import time\ntime.sleep(1)\n" + ANSWERS_NOTHING


class NeverReady(StandIn):
    script = "import time\ntime.sleep(600)\n"


class Reported:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pid = 0

    def __call__(self, event: Event, /, **facts: Any) -> None:
        self.events.append(event)
        self.pid = facts.get("pid", self.pid)


def account() -> Account:
    return Account(os.geteuid(), os.getegid())


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0)


@asynccontextmanager
async def running(kind: type[StandIn], home: Path, reported: Reported) -> AsyncIterator[Any]:
    """Run an instance; give it with its task."""
    (spec,) = routes("SSH-2.0-first").specs
    state = StateDirectory(home / "state", account(), IDENTITY)
    one = Instance(spec, state, kind(home, account()), reported, lambda *_: None, is_kept_ready=True)
    task = asyncio.create_task(one.run())
    try:
        yield one, task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_a_cowrie_that_is_stopped_while_it_is_being_killed_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "_PING_EVERY_S", 0.05)
    monkeypatch.setattr(instance, "_HUNG_AFTER_S", 0.1)
    reported = Reported()

    async def story() -> None:
        async with running(Hanging, tmp_path, reported):
            await until(lambda: reported.pid)
            await until(lambda: not Path(f"/proc/{reported.pid}").exists())

    asyncio.run(story())
    assert reported.events == [CowrieEvent.COWRIE_STARTED, CowrieEvent.COWRIE_STOPPED]


def test_a_cowrie_that_starts_slowly_is_not_taken_for_a_hung_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "_PING_EVERY_S", 0.05)
    monkeypatch.setattr(instance, "_HUNG_AFTER_S", 0.2)
    reported = Reported()

    async def story() -> None:
        async with running(SlowToStart, tmp_path, reported):
            await until(lambda: reported.events)

    asyncio.run(story())
    assert reported.events[0] is CowrieEvent.COWRIE_STARTED


def test_a_cowrie_that_never_starts_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "_PING_EVERY_S", 0.05)
    monkeypatch.setattr(instance, "_STARTS_WITHIN_S", 0.2)
    reported = Reported()

    async def story() -> None:
        async with running(NeverReady, tmp_path, reported):
            await until(lambda: CowrieEvent.COWRIE_DIED in reported.events)

    asyncio.run(story())


def test_a_stop_in_the_moment_in_which_a_cowrie_ends_is_not_lost(tmp_path: Path) -> None:
    reported = Reported()

    async def story() -> None:
        async with running(StandIn, tmp_path, reported) as (one, task):
            await until(lambda: one._cowrie is not None)
            os.kill(reported.pid, signal.SIGKILL)
            await until(lambda: one._cowrie is None)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=10)
            assert done == {task}

    asyncio.run(story())
    assert reported.events == [CowrieEvent.COWRIE_STARTED, CowrieEvent.COWRIE_DIED]


def test_a_supervisor_stops_while_a_changed_cowrie_waits_for_its_predecessor(tmp_path: Path) -> None:
    reported = Reported()

    async def story() -> None:
        made = StandIn(tmp_path, account())
        supervisor = CowrieSupervisor(tmp_path / "state", made, reported, lambda *_: None, kept_ready=1)
        supervisor.follow(routes("SSH-2.0-first"), IDENTITY)
        await until(lambda: CowrieEvent.COWRIE_STARTED in reported.events)
        supervisor.follow(routes("SSH-2.0-second"), IDENTITY)
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await supervisor.stop()

    asyncio.run(story())
    assert reported.events == [CowrieEvent.COWRIE_STARTED, CowrieEvent.COWRIE_STOPPED]


def routes(identification: str) -> RoutingTable:
    ssh = f"{{protocol: ssh, identification: {identification}, hostname: mx}}"
    hosts = f"  mx: {{addresses: [203.0.113.10], services: {{22: {ssh}}}}}\n"
    persona = parse_persona(f"postern-persona: 1\ntenant: acme\nhosts:\n{hosts}", "acme.yaml")
    tenants = (DecoyTenant(name="acme", prefixes=(ip_network("203.0.113.0/26"),)),)
    settings = DecoySettings(secret=bytes(32).hex(), since=1_700_000_000, tenants=tenants)
    return RoutingTable(Tenants(settings, {"acme": persona}))
