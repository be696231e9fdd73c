"""The walk of docs/architecture.md for an intruder: from a decoy's notes to the flows of the switch."""

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from common.api import ApiAccess, parse_address
from common.journal.journal import Journal
from controller.compiler.compile import compile_policy
from controller.compiler.decisions import Enforcement
from controller.pipeline.flows import Flow, SwitchState
from controller.pipeline.tables import Table
from controller.policy.parse import parse_policy
from services.base import controller
from services.base.evidence import EvidencePost
from services.decoy.dialogues.base import Login
from services.decoy.events import Encounter, Notes
from services.decoy.spool.recordings import Recordings
from services.decoy.spool.uploads import Uploads
from tests.api.conftest import Northbound
from tests.compiler.reach import Probe
from tests.compiler.walk import Arrival, Packet
from tests.journals import Pages
from tests.walks.steps import Recorder, TableWalk, documented, held_by
from tests.world import DEMO

INTRUDER, NOWHERE, SERVER = map(ip_address, ("198.51.100.66", "203.0.113.50", "203.0.113.10"))
POLICY = parse_policy(DEMO, "demo.yaml")
ENCOUNTER = Encounter("acme", INTRUDER, 40_000, NOWHERE, 22, "ssh", "session-1", "trace-1")
PATIENCE_S = 10.0
_STEP_BY_PLACE = {
    "controller.runtime.handlers.suspicion:report_evidence": "evidence",
    "controller.suspicion.ledger:add": "decision",
    "controller.runtime.handlers.suspicion:explain_source": "explain",
    "controller.runtime.handlers.suspicion:end_decisions": "delete",
}


class Edge(Northbound):
    """The controller and its switch. `steps`: what happens there."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = Recorder()
        self._flows_of_decisions: dict[object, Flow] = {}
        self.start()
        self.connect()

    def held(self) -> SwitchState:
        """Return what the switch holds; of decisions, also what it should no longer hold."""
        assert self.channel is not None
        enforcement = Enforcement(POLICY)
        for decision in self.world.core.suspicion.ledger.by_number.values():
            flows = enforcement.of_decision(decision)["s1"].flows
            self._flows_of_decisions |= {flow.key: flow for flow in flows}
        policy = compile_policy(POLICY)["s1"]
        return held_by(self.channel.switch, policy, self._flows_of_decisions.values())

    def reached(self, address: Any, port: int) -> set[str]:
        """Return where the intruder's next connection arrives, by what the switch holds."""
        return NextConnection(self.held(), self.steps).reached(Probe(INTRUDER, address, port))


class NextConnection(TableWalk):
    """Notes the step when the connection meets the flow of a decision."""

    def __init__(self, held: SwitchState, steps: Recorder) -> None:
        super().__init__(POLICY, steps.note, {"s1": held})

    def _look_up(self, switch: str, table: Table, packet: Packet, ttl: int) -> set[Arrival]:
        found = self._tables[switch][table].find(packet) if table in self._tables[switch] else None
        if found and found.because.startswith("decisions."):
            self._note("next connection")
        return super()._look_up(switch, table, packet, ttl)


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Edge:
    """An edge that programs on hosts reach: requests go to its API, without a socket between them."""
    edge = Edge()

    async def request(_api: ApiAccess, method: str, path: str, body: bytes = b"") -> Any:
        return edge.http.simulate_request(method, path, body=body).json

    monkeypatch.setattr(controller, "request", request)
    return edge


async def log_in(edge: Edge, spool: Path) -> None:
    """Let the decoy see a connection and a log-in, and send what it has noted."""
    journal = Journal(Pages(), "decoy", "decoy1")
    post = EvidencePost(ApiAccess(parse_address("unix:/nowhere")), journal.write)
    notes = Notes(journal, Recordings(spool, 10_000, 10_000), Uploads(spool, 10_000), post)
    notes.of(ENCOUNTER).take(Login("password", "root", "toor"))
    sender = asyncio.create_task(post.run())
    async with asyncio.timeout(PATIENCE_S):
        while "evidence" not in edge.steps.steps:
            await asyncio.sleep(0)
    sender.cancel()


def test_an_intruder_meets_the_documented_steps(edge: Edge, tmp_path: Path) -> None:
    with edge.steps.calls(_STEP_BY_PLACE):
        assert edge.reached(NOWHERE, 22) == {"pools.decoys.members.decoy1"}
        asyncio.run(log_in(edge, tmp_path))
        (decision,) = edge.http.simulate_get("/v1/decisions").json["decisions"]
        assert edge.reached(SERVER, 25) == {"pools.decoys.members.decoy1"}
        told = edge.http.simulate_get(f"/v1/sources/{INTRUDER}").json
        assert "reaches a decoy" in told["consequence"]
        assert edge.http.simulate_delete(f"/v1/decisions/{decision['id']}").status_code == 200
    assert all(path.startswith("pools.proxies.") for path in edge.reached(SERVER, 25))
    assert edge.steps.steps == documented("An intruder")
