"""The walk of docs/architecture.md for a signature: a real builder, a real server and a real agent."""

import signal
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.policy.parse import parse_policy
from services.antivirus.agent.main import main as update
from services.antivirus.builder import immunity
from services.antivirus.builder.publisher import Publisher
from tests.antivirus.conftest import Client, Server, await_that, client, publisher, sample, server
from tests.compiler.reach import Probe
from tests.walks.steps import Recorder, TableWalk, documented
from tests.world import DEMO

__all__ = ["client", "publisher", "sample", "server"]  # fixtures
pytestmark = pytest.mark.programs

POLICY = parse_policy(DEMO, "demo.yaml")
PC, SERVERS = ip_address("10.0.0.5"), ip_address("192.0.2.120")
_STEP_BY_PLACE = {
    "services.antivirus.builder.immunity:guard": "immunize",
    "services.antivirus.builder.publisher:_fill": "build",
    "services.antivirus.builder.canary:try_out": "canary",
    "services.antivirus.signing:sign": "sign",
    "services.base.files:point": "publish",
    "services.antivirus.agent.update:_ring": "fetch",
    "services.antivirus.agent.verification:prove_files": "prove",
    "services.antivirus.agent.update:_install": "install",
    "services.antivirus.agent.daemon:_report": "report",
}


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """The agent, called in this process, takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signature_takes_the_documented_steps(
    publisher: Publisher, server: Server, client: Client, sample: Path
) -> None:
    recorder = Recorder()
    tables: list[str] = []
    walk = TableWalk(POLICY, tables.append)
    reached = walk.reached(Probe(PC, SERVERS, 80), "tenants.globex.gateways.globex-gw")
    assert reached and all(path.startswith("pools.antivirus.") for path in reached)
    assert [name for name in tables if name in ("source", "service")] == ["source", "service"]
    recorder.note("wait")

    caught = immunity.caught_in(str(sample), ())
    with recorder.calls(_STEP_BY_PLACE):
        fresh = immunity.guard(caught, publisher.corpus, publisher.store.entries())
        number = immunity.immunize(publisher, fresh, "marked by an operator")
    await_that(lambda: server.generation() == number, "the new generation is served")
    await_that(lambda: server.events("GenerationServed")[-1]["generation"] == number, "the journal says so")
    recorder.note("serve")

    with recorder.calls(_STEP_BY_PLACE):
        assert update(client.command("--once")[3:]) == 0
    assert client.finds(sample)
    assert recorder.steps == documented("A signature")
