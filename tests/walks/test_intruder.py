"""The walk of docs/architecture.md for an intruder, step by step in the code."""

from ipaddress import ip_address

from controller.compiler.decisions import Enforcement
from controller.pipeline.flows import Flow
from controller.policy.parse import parse_policy
from tests.api.conftest import Northbound
from tests.compiler.reach import Probe
from tests.walks.steps import Recorder, TableWalk, documented
from tests.world import DEMO

INTRUDER, NOWHERE, SERVER = map(ip_address, ("198.51.100.66", "203.0.113.50", "203.0.113.10"))
POLICY = parse_policy(DEMO, "demo.yaml")


def flows_of_decisions(api: Northbound) -> list[Flow]:
    decisions = api.world.core.suspicion.ledger.by_number.values()
    enforcement = Enforcement(POLICY)
    return [flow for each in decisions for flow in enforcement.of_decision(each)["s1"].flows]


def test_an_intruder_meets_the_documented_steps() -> None:
    api, recorder = Northbound(), Recorder()
    api.start()
    api.connect()

    first = TableWalk(POLICY, recorder.note).reached(Probe(INTRUDER, NOWHERE, 22))
    assert first == {"pools.decoys.members.decoy1"}

    evidence = {"kind": "decoy-login", "source": str(INTRUDER), "destination": str(NOWHERE), "port": 22}
    assert api.http.simulate_post("/v1/evidence", json={"evidence": [evidence]}).json["accepted"] == 1
    recorder.note("evidence")
    (decision,) = api.http.simulate_get("/v1/decisions").json["decisions"]
    recorder.note("decision")

    meets: list[str] = []
    next_one = TableWalk(POLICY, meets.append, flows_of_decisions(api)).reached(Probe(INTRUDER, SERVER, 25))
    assert next_one == {"pools.decoys.members.decoy1"}
    assert "suspicion" in meets
    recorder.note("next connection")

    told = api.http.simulate_get(f"/v1/sources/{INTRUDER}").json
    assert "reaches a decoy" in told["consequence"]
    recorder.note("explain")

    assert api.http.simulate_delete(f"/v1/decisions/{decision['id']}").status_code == 200
    after = TableWalk(POLICY, meets.append, flows_of_decisions(api)).reached(Probe(INTRUDER, SERVER, 25))
    assert all(path.startswith("pools.proxies.") for path in after)
    recorder.note("delete")

    assert recorder.steps == documented("An intruder")
