"""Devices of a real switch that change places, and bursts of ports: with and without the database."""

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from tests.ovs import test_bridges, test_controller, test_switch_settings
from tests.ovs.test_controller import Controller
from tests.ovs.test_drift import await_drift, drift, lines

pytestmark = pytest.mark.ovs
controller = test_controller.controller  # the fixtures
alone = test_switch_settings.alone

BURST = 200


@pytest.fixture(params=["with the database", "over OpenFlow alone"])
def either(request: pytest.FixtureRequest) -> Controller:
    """A controller that has seen its switch, and one that has not seen its database."""
    if request.param == "over OpenFlow alone":
        found: Controller = request.getfixturevalue("alone")
        return found
    found = request.getfixturevalue("controller")
    test_bridges.eventually(lambda: test_bridges.is_remembered(found), found)
    return found


def request_ports(controller: Controller, four: int, five: int) -> None:
    """Let the devices of ports 4 and 5 ask for these numbers, in one transaction."""
    controller.ovs.vsctl(
        *("set", "Interface", "s1p4", f"ofport_request={four}"),
        *("--", "set", "Interface", "s1p5", f"ofport_request={five}"),
    )


def test_two_devices_that_change_places_are_named_until_they_are_back(either: Controller) -> None:
    request_ports(either, 5, 4)
    found = await_drift(either, lambda found: found["open_count"] == 2)
    assert {(row["kind"], row["change"], row["rule"]) for row in found["open"]} == {
        ("port", "changed", "pools.proxies.members.proxy1"),
        ("port", "changed", "pools.proxies.members.proxy2"),
    }
    four, five = sorted(row["text"] for row in found["open"])
    assert four.startswith("interface s1p4 ")
    assert four.endswith(" is port 5")
    assert five.endswith(" is port 4")
    assert main(["status", "--api", either.api.address]) == ExitCode.FAILED
    for row in found["open"]:  # what the remedies say
        either.ovs.vsctl(*row["remedy"].split("; ")[0].split()[1:])
    await_drift(either, lambda found: found["open_count"] == 0)


def test_two_devices_that_changed_places_are_accepted_and_that_is_remembered(either: Controller) -> None:
    request_ports(either, 5, 4)
    await_drift(either, lambda found: found["open_count"] == 2)
    arguments = ["--accept", "s1", "--reason", "the cables were changed", "--api", either.api.address]
    main(["drift", *arguments])
    await_drift(either, lambda found: found["open_count"] == 0)
    request_ports(either, 4, 5)
    await_drift(either, lambda found: found["open_count"] == 2)


def test_two_devices_that_change_places_while_the_controller_is_away_are_named(alone: Controller) -> None:
    alone.stop()
    request_ports(alone, 5, 4)
    alone.start(POSTERN_SWITCH_DATABASE="off")
    alone.wait(lambda status: status["state"] != "not there")
    await_drift(alone, lambda found: found["open_count"] == 2)


def test_a_burst_of_ports_is_named_and_the_controller_answers_meanwhile(either: Controller) -> None:
    words: list[str] = []
    for number in range(1_000, 1_000 + BURST):
        words += ["--", "add-port", "s1", f"spy{number}", "--", "set", "Interface", f"spy{number}"]
        words += ["type=dummy", f"ofport_request={number}"]
    either.ovs.vsctl(*words[1:])
    found = await_drift(either, lambda found: found["open_count"] == BURST)  # which asks it again and again
    assert {row["change"] for row in found["open"]} == {"foreign"}
    (switch,) = either.status()["switches"]
    assert switch["confirmed"]  # no flow leads to a spare port
    assert sum(line["count"] for line in lines(either, "DriftFound")) <= BURST
    either.ovs.vsctl(
        *" -- ".join(f"del-port s1 spy{number}" for number in range(1_000, 1_000 + BURST)).split()
    )
    await_drift(either, lambda found: found["open_count"] == 0)
    assert drift(either)["switches"][0]["unknown"] == ""
