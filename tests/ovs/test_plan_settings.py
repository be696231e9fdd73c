"""A plan names settings of a real switch that were changed by hand; `apply` puts them back, or refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from tests.ovs import test_bridges, test_controller
from tests.ovs.test_bridges import eventually
from tests.ovs.test_controller import Controller
from tests.ovs.test_drift import await_drift

pytestmark = pytest.mark.ovs
controller = test_controller.controller  # the fixture

FAIL_MODE = "changed fail mode: standalone, instead of secure"


@pytest.fixture
def edge(controller: Controller) -> Controller:
    """A controller that only reports drift, and knows its bridge."""
    controller.edit("\ntenants:", "\ndrift: report\ntenants:")
    controller.hang_up()
    controller.wait_for(2)
    eventually(lambda: test_bridges.is_remembered(controller), controller)
    return controller


def run(edge: Controller, *words: object) -> int:
    return main([*map(str, words), "--api", edge.api.address])


def await_open(edge: Controller, change: Callable[[], object]) -> None:
    change()
    await_drift(edge, lambda found: found["open_count"] == 1)


def standalone(edge: Controller) -> None:
    edge.ovs.vsctl("set-fail-mode", "s1", "standalone")


def fail_mode(edge: Controller) -> str:
    return edge.ovs.vsctl("get-fail-mode", "s1").strip()


def test_a_fail_mode_that_was_changed_is_in_the_plan_and_apply_puts_it_back(
    edge: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    await_open(edge, lambda: standalone(edge))
    assert run(edge, "plan", edge.policy, "--detailed-exitcode") == ExitCode.CHANGES
    assert f"puts back one setting of switch s1:\n    {FAIL_MODE}\n" in capsys.readouterr().out
    assert fail_mode(edge) == "standalone"
    assert run(edge, "apply", edge.policy) == ExitCode.OK
    assert fail_mode(edge) == "secure"
    assert run(edge, "plan", edge.policy, "--detailed-exitcode") == ExitCode.OK


def test_a_saved_plan_is_refused_after_a_setting_has_drifted(
    edge: Controller, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "change.plan"
    assert run(edge, "plan", edge.policy, "--out", plan) == ExitCode.OK
    await_open(edge, lambda: edge.ovs.ofctl("mod-port", "s1", "4", "no-forward"))
    assert run(edge, "apply", "--plan", plan) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "one setting of s1 would be put back, and no setting when this was planned; new: changed" in said
    assert "NO_FWD" in edge.ovs._port("s1", "s1p4")
