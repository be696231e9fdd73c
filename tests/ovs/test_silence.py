"""A real switch that hangs, or is not there: what `status`, `drift` and receipts say meanwhile."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from tests.ovs import test_controller
from tests.ovs.test_controller import Controller
from tests.ovs.test_drift import NORMAL, await_ended, drift, lines

pytestmark = pytest.mark.ovs
controller = test_controller.controller  # the fixture

WITHIN_S = 3.0  # 1.5 s of silence, half a second until the next tick, and a turn that must have begun


@pytest.fixture
def frozen(controller: Controller) -> Iterator[Controller]:
    """A controller that knows its switch, which has stopped just now."""
    await_problem(controller, lambda problems: problems == "")
    controller.ovs.signal_switches(signal.SIGSTOP)
    yield controller
    controller.ovs.signal_switches(signal.SIGCONT)


def problems(controller: Controller) -> str:
    (row,) = controller.status()["switches"]
    assert not (row["confirmed"] and row["problems"])
    return " ".join(row["problems"])


def await_problem(controller: Controller, is_so: Callable[[str], bool]) -> float:
    """Return how long it took."""
    began = time.monotonic()
    while not is_so(found := problems(controller)):
        assert time.monotonic() - began < 60, (found, controller.log.read_text(encoding="utf-8")[-3000:])
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_switch_that_hangs_is_not_confirmed_after_a_few_seconds_and_is_when_it_goes_on(
    frozen: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    took = await_problem(frozen, lambda problems: "no answer for" in problems)
    assert frozen.status()["state"] == "waiting"
    assert took < WITHIN_S, took
    api = ["--api", frozen.api.address]
    assert main(["drift", *api]) == ExitCode.FAILED
    assert "! s1: no answer for " in capsys.readouterr().out
    assert main(["status", *api]) == ExitCode.FAILED
    assert "what it holds is not known; remedy: on its host" in capsys.readouterr().out
    assert main(["explain", "tenants.acme.mail", *api]) != ExitCode.OK
    assert "no answer for" in capsys.readouterr().out
    frozen.ovs.signal_switches(signal.SIGCONT)
    await_problem(frozen, lambda problems: problems == "")
    assert frozen.status()["state"] == "confirmed"
    assert lines(frozen, "SwitchFellSilent")
    assert lines(frozen, "SwitchDisconnected") == []


def test_what_was_changed_while_the_switch_hung_is_repaired_afterwards(frozen: Controller) -> None:
    await_problem(frozen, lambda problems: "no answer for" in problems)
    frozen.ovs.signal_switches(signal.SIGCONT)
    frozen.ovs.ofctl("add-flow", "s1", NORMAL)
    await_ended(frozen, "NORMAL")


def test_a_switch_whose_program_has_ended_is_not_called_free_of_drift(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    controller.ovs.stop_switches()
    controller.wait(lambda status: not any(row["connected"] for row in status["switches"]))
    assert main(["drift", "--api", controller.api.address]) == ExitCode.FAILED
    assert "! s1: not connected: what it holds is not known" in capsys.readouterr().out
    (row,) = drift(controller)["switches"]
    assert row["watched"] == "not connected"


def test_a_switch_that_takes_up_a_hundred_thousand_foreign_flows_does_not_flap(
    controller: Controller,
) -> None:
    """Its process is busy for seconds, and it answers all the same, or is being put right."""
    file = controller.ovs.directory / "flows.txt"
    many = range(100_000)
    file.write_text(
        "".join(
            f"table=0,priority=5,ip,nw_src=10.{n >> 8 & 255}.{n & 255}.{n >> 16},actions=drop\n" for n in many
        ),
        encoding="utf-8",
    )
    controller.ovs.ofctl("add-flows", "s1", str(file))
    await_problem(controller, lambda problems: problems == "")
    assert len(lines(controller, "SwitchFellSilent")) == len(lines(controller, "SwitchAnswered")) <= 1
