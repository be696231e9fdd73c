"""The standing proof and the gate: the running controller, a real switch, the real proving process."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from controller.api.client import ApiClient, ApiError
from tests.ovs.dummy import DummyOvs
from tests.ovs.test_controller import POLICIES, Controller
from tests.prover.processes import await_end

pytestmark = pytest.mark.ovs

_WITHIN_S = 60.0
_NORMAL = "table=0,priority=60000,actions=NORMAL"


class ProvingController(Controller):
    """The smallest policy; what somebody else changes on the switch is reported, and not repaired."""

    def __init__(self, ovs: DummyOvs) -> None:
        super().__init__(ovs)
        shutil.copy(POLICIES / "minimal.yaml", self.policy)
        self.edit("postern: 1\n", "postern: 1\ndrift: report\n")
        self.client = ApiClient(self.api.address, reason="a test")

    def proof(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get("/v1/proof")
        return found

    def await_proof(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + _WITHIN_S
        while not is_so(found := self.proof()):
            assert time.monotonic() < deadline, f"{found}\n{self.log.read_text(encoding='utf-8')[-3000:]}"
            time.sleep(0.02)
        return found

    def await_event(self, name: str, is_so: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        deadline = time.monotonic() + _WITHIN_S
        while not (found := [each for each in self.events(name) if is_so(each)]):
            assert time.monotonic() < deadline, self.log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.02)
        return found[-1]

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        facts = [json.loads(line) for line in lines if line.startswith('{"time"')]
        return [each for each in facts if each["event"] == name]

    def edited(self, old: str, new: str) -> dict[str, str]:
        text = self.policy.read_text(encoding="utf-8")
        assert old in text
        return {"file": "edited.yaml", "text": text.replace(old, new)}

    @property
    def prover(self) -> int:
        pid: int = self.await_event("ProverStarted")["pid"]
        return pid


def running(ovs: DummyOvs, **settings: str) -> Iterator[ProvingController]:
    ovs.add_bridge("s1", 1, ports=3)
    controller = ProvingController(ovs)
    ovs.vsctl("set-controller", "s1", f"tcp:127.0.0.1:{controller.port}")
    ovs.vsctl("set", "controller", "s1", "inactivity_probe=1000", "max_backoff=1000")
    controller.start(**settings)
    try:
        yield controller
    finally:
        controller.stop()


@pytest.fixture
def controller(ovs: DummyOvs) -> Iterator[ProvingController]:
    for each in running(ovs):
        each.wait_for(1)
        yield each


@pytest.fixture
def hasty(ovs: DummyOvs) -> Iterator[ProvingController]:
    """A controller whose proofs have much too little time."""
    yield from running(ovs, POSTERN_PROOF_LIMIT="100ms")


def is_proved(found: dict[str, Any]) -> bool:
    return found["state"] == "proved" and not found["problems"]


def test_what_the_switch_holds_is_proved_and_status_says_so(controller: ProvingController) -> None:
    found = controller.await_proof(is_proved)
    assert found["last"]["switches"] == ["s1"]
    assert found["last"]["flows"] >= len(controller.flows().splitlines()) - 1  # and what stands for decisions
    assert controller.status()["proof"]["problems"] == []


def test_a_foreign_flow_makes_the_proof_fail_and_is_named_until_it_is_removed(
    controller: ProvingController,
) -> None:
    controller.await_proof(is_proved)
    controller.ovs.ofctl("add-flow", "s1", _NORMAL)
    found = controller.await_proof(lambda found: found["state"] == "failed")
    named = [step for each in found["last"]["violations"] for step in each["flows"] if not step["rule"]]
    assert named, found["last"]["violations"]
    assert {(step["table"], step["priority"]) for step in named} == {("admission", 60_000)}
    assert controller.status()["proof"]["problems"]
    assert controller.await_event("ProofFailed")["subject"] == "what the switches hold"
    controller.ovs.ofctl("del-flows", "s1", "--strict", "table=0,priority=60000")
    controller.await_proof(is_proved)


def test_a_prover_that_is_killed_is_replaced_and_the_proof_is_made(controller: ProvingController) -> None:
    controller.await_proof(is_proved)
    first = controller.prover
    os.kill(first, signal.SIGSTOP)  # so that it is killed while it has a question
    number = controller.api.post("/v1/proof", {})["number"]
    controller.await_proof(lambda found: bool(found["is_proving"]))
    os.kill(first, signal.SIGKILL)
    controller.await_proof(lambda found: is_proved(found) and found["last"]["number"] >= number)
    assert "signal 9" in controller.await_event("ProverEnded")["reason"]
    assert controller.prover != first


def test_a_prover_ends_with_its_controller_however_that_ends(controller: ProvingController) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = controller.prover
        controller.stop(number)
        await_end(pid)
        controller.log.unlink()
        controller.start()
        controller.wait_for(1)


def test_a_proof_that_takes_too_long_makes_the_plan_wait_until_it_is_forced_with_a_reason(
    hasty: ProvingController,
) -> None:
    """No two of these tenants are alike, so each is proved; that takes a second."""
    servers = {each: ", ".join(f"10.0.{each}.{n}" for n in range(1, each + 1)) for each in range(1, 60)}
    many = "\n".join(
        f"  t{each}:\n    prefixes: [10.0.{each}.0/24]\n    gateways:\n"
        f"      gw{each}: {{at: s1:{each + 10}, mac: '02:aa:00:00:01:{each:02x}', edge: [100.65.{each}.1]}}\n"
        f"    mail: {{mode: direct, scanners: scanners, servers: [{servers[each]}]}}"
        for each in servers
    )
    policy = hasty.edited("tenants:\n", f"tenants:\n{many}\n")
    hasty.wait(lambda status: status["state"] != "not there")
    answer = _until_reason(hasty, policy)
    assert "not finished" in answer["waiting"]
    reason = hasty.await_event("ProofNotFinished")["reason"]
    assert reason in ("no answer within 0.1 s", "it does not read the question"), reason
    with pytest.raises(ApiError, match="needs a reason"):
        hasty.api.post("/v1/policy", {**policy, "unproved": True})
    revision = hasty.client.post("/v1/policy", {**policy, "unproved": True})["revision"]
    status = hasty.wait_for(revision)
    assert any("without a proof: a test" in each for each in status["proof"]["problems"])
    forced = hasty.await_event("PlanForced")
    assert (forced["revision"], forced["reason"]) == (revision, "a test")
    assert f"uid {os.getuid()}" in forced["by"]


def _until_reason(controller: Controller, policy: dict[str, str]) -> dict[str, Any]:
    """Ask for a policy until its proof has not finished; nothing else is to happen."""
    deadline = time.monotonic() + _WITHIN_S
    while "not finished" not in (answer := controller.api.post("/v1/policy", policy)).get("waiting", ""):
        assert "waiting" in answer, answer
        assert time.monotonic() < deadline, answer
    return dict(answer)


def test_a_proof_is_not_decided_while_fragments_are_not_treated_as_it_assumes(
    controller: ProvingController, capsys: pytest.CaptureFixture[str]
) -> None:
    controller.await_proof(is_proved)
    controller.ovs.ofctl("set-frags", "s1", "nx-match")
    found = controller.await_proof(lambda found: bool(found["unmet"]))
    assert found["state"] == "not decided"
    said = "switch s1 does not behave as the proof assumes: changed setting: fragments are nx-match"
    assert main(["prove", "--api", controller.api.address]) == ExitCode.FAILED
    assert said in capsys.readouterr().out
    assert main(["status", "--api", controller.api.address]) == ExitCode.FAILED
    assert said in capsys.readouterr().out
    controller.ovs.ofctl("set-frags", "s1", "normal")
    controller.await_proof(is_proved)
    assert main(["prove", "--api", controller.api.address]) == ExitCode.OK
