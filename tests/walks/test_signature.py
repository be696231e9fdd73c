"""The walk of docs/architecture.md for a signature: a real builder, a real server and a real agent."""

import asyncio
import threading
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from common.journal.journal import Journal
from controller.policy.parse import parse_policy
from services.antivirus.agent.daemon import UpdateAgent
from services.antivirus.agent.main import build_parser
from services.antivirus.builder import immunity
from services.antivirus.builder.publisher import Publisher
from tests.antivirus.conftest import Client, Server, await_that, client, publisher, sample, server
from tests.compiler.reach import Probe
from tests.journals import Pages
from tests.walks.steps import Recorder, TableWalk, documented
from tests.world import DEMO

__all__ = ["client", "publisher", "sample", "server"]  # fixtures
pytestmark = pytest.mark.programs

POLICY = parse_policy(DEMO, "demo.yaml")
PC, SERVERS = ip_address("10.0.0.5"), ip_address("192.0.2.120")
_STEP_BY_PLACE = {
    "services.antivirus.agent.download:wait": "wait",
    "services.antivirus.builder.immunity:guard": "immunize",
    "services.antivirus.builder.publisher:_fill": "build",
    "services.antivirus.builder.canary:try_out": "canary",
    "services.antivirus.signing:sign": "sign",
    "services.base.files:point": "publish",
    "services.antivirus.agent.update:_ring": "fetch",
    "services.antivirus.agent.verification:prove_files": "prove",
    "services.antivirus.agent.update:_install": "install",
    "services.antivirus.agent.download:report": "report",
}
_STEP_BY_ANSWER = {"services.antivirus.agent.download:wait": "serve"}


class WaitingAgent:
    """An agent of this process, in a thread: it is up to date and waits for new signatures."""

    def __init__(self, client: Client) -> None:
        parsed = build_parser().parse_args(client.command()[3:])
        self._journal = Pages()
        agent = UpdateAgent(parsed, Journal(self._journal, "agent", "pc1"))
        self._loop = asyncio.new_event_loop()
        self._work = self._loop.create_task(agent.chores()["updates"]())
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "WaitingAgent":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._work)


def way_to_the_servers() -> list[str]:
    """Return the tables that decide where the client's connection goes. It must reach a server."""
    tables: list[str] = []
    walk = TableWalk(POLICY, tables.append)
    reached = walk.reached(Probe(PC, SERVERS, 80), "tenants.globex.gateways.globex-gw")
    assert reached and all(path.startswith("pools.antivirus.") for path in reached)
    return [name for name in tables if name in ("source", "service")]


def test_a_signature_takes_the_documented_steps(
    publisher: Publisher, server: Server, client: Client, sample: Path
) -> None:
    assert way_to_the_servers() == ["source", "service"]
    assert client.update().returncode == 0
    recorder = Recorder(first="wait")
    with recorder.calls(_STEP_BY_PLACE, _STEP_BY_ANSWER), WaitingAgent(client):
        await_that(lambda: recorder.steps == ["wait"], "the client waits")
        caught = immunity.caught_in(str(sample), ())
        fresh = immunity.guard(caught, publisher.corpus, publisher.store.entries())
        number = immunity.immunize(publisher, fresh, "marked by an operator")
        await_that(lambda: "report" in recorder.steps, "the client reports")
    assert server.events("GenerationServed")[-1]["generation"] == number
    assert client.finds(sample)
    assert recorder.steps == documented("A signature")
