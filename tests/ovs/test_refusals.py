"""A real switch that refuses a repair: named with its reason and a remedy, until it takes it."""

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from tests.ovs import test_controller, test_switch_settings
from tests.ovs.test_controller import Controller
from tests.ovs.test_drift import await_drift, drift, lines

pytestmark = pytest.mark.ovs
controller = test_controller.controller  # the fixtures
alone = test_switch_settings.alone

TABLE = "2"


def count_flows(controller: Controller) -> int:
    return controller.ovs.ofctl("dump-flows", "s1", f"table={TABLE}").count("actions=")


def limit(controller: Controller, count: int) -> None:
    """Let the table refuse any flow beyond a number."""
    settings = (f"flow_limit={count}", "overflow_policy=refuse")
    controller.ovs.vsctl(
        "--id=@t", "create", "Flow_Table", *settings, "--", "set", "Bridge", "s1", f"flow_tables:{TABLE}=@t"
    )


def test_a_repair_for_which_a_table_has_no_room_is_named_with_a_remedy_that_works(
    alone: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    before = count_flows(alone)
    limit(alone, before - 1)
    alone.ovs.ofctl("del-flows", "s1", f"table={TABLE}")
    await_drift(alone, lambda found: bool(found["switches"][0]["refusal"]))
    api = ["--api", alone.api.address]
    assert main(["drift", *api]) == ExitCode.FAILED
    said = capsys.readouterr().out
    assert (
        "! s1 refused the last repair: the switch refused: flow-mod failed, code 1, the table is full" in said
    )
    assert "remedy: ovs-vsctl list Flow_Table shows limits; remove them" in said
    assert main(["status", *api]) == ExitCode.FAILED
    assert "the table is full" in capsys.readouterr().out
    assert count_flows(alone) == 0
    alone.ovs.vsctl("clear", "Bridge", "s1", "flow_tables")
    alone.hang_up()  # as `postern apply` does
    found = await_drift(alone, lambda found: found["open_count"] == 0)
    assert found["switches"][0]["refusal"] == ""
    assert count_flows(alone) == before
    assert [len(lines(alone, event)) for event in ("PlanRefused", "RefusalEnded")] == [1, 1]


def test_a_repair_that_is_refused_is_sent_again_by_itself(alone: Controller) -> None:
    before = count_flows(alone)
    limit(alone, before - 1)
    alone.ovs.ofctl("del-flows", "s1", f"table={TABLE}")
    await_drift(alone, lambda found: bool(found["switches"][0]["refusal"]))
    alone.ovs.vsctl("clear", "Bridge", "s1", "flow_tables")
    await_drift(alone, lambda found: found["open_count"] == 0)
    assert drift(alone)["switches"][0]["refusal"] == ""
    assert count_flows(alone) == before
