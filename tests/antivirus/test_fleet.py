"""The fleet: who lags is named, whoever says so; clients' clocks mean nothing."""

from datetime import date
from typing import Any

import pytest

from common.wire.signatures import ClientReport, ServedRing
from controller.antivirus.engines import end_of_life
from controller.antivirus.fleet import LAGS_AFTER_S, SILENT_AFTER_S, Fleet
from controller.reports import antivirus as reports
from controller.runtime.commands.antivirus import ReadFleet
from controller.runtime.handlers.antivirus import fleet_status

UTC = "2026-01-01T00:00:00Z"


def report(client: str, generation: int, asker: str = "acme", **more: Any) -> ClientReport:
    return ClientReport(client=client, asker=asker, host=client, generation=generation, **more)


def show(fleet: Fleet, now: float, asker: str = "", only_stale: bool = False) -> dict[str, Any]:
    return reports.fleet(fleet_status(fleet, ReadFleet(asker, only_stale), now, now))


@pytest.fixture
def fleet() -> Fleet:
    made = Fleet()
    made.rings = {"acme": "canary", "globex": "all"}
    made.on_server(0.0, "av1", rings(canary=5, all=4), "")
    return made


def test_a_report_that_another_server_hands_on_late_does_not_undo_a_later_one(fleet: Fleet) -> None:
    fleet.on_report(1.0, "", "av1", report("pc1", 5, serial=9))
    assert fleet.on_report(1.1, "", "av2", report("pc1", 4, serial=8)) is None
    assert [client.report.generation for client in fleet.clients] == [5]


def rings(**generations: int) -> dict[str, ServedRing]:
    return {name: ServedRing(10 + number, number, UTC) for name, number in generations.items()}


def test_each_is_measured_by_his_ring(fleet: Fleet) -> None:
    acme = fleet.on_report(0.0, UTC, "av1", report("a", 4))
    globex = fleet.on_report(0.0, UTC, "av1", report("g", 4, "globex"))
    scanner = fleet.on_report(0.0, UTC, "av1", report("s", 4, "scanners"))
    assert acme and globex and scanner
    assert fleet.behind(acme) == "has generation 4, but its ring has 5"
    assert (fleet.behind(globex), fleet.behind(scanner)) == ("", "")


def test_who_lags_too_long_is_stale_and_current_again_when_he_has_it(fleet: Fleet) -> None:
    fleet.on_report(0.0, UTC, "av1", report("a", 4))
    assert fleet.look(0.0) == []
    assert fleet.look(LAGS_AFTER_S) == []
    (stale,) = fleet.look(LAGS_AFTER_S + 1)
    assert stale.is_stale
    fleet.on_report(LAGS_AFTER_S + 2, UTC, "av1", report("a", 5))
    (current,) = fleet.look(LAGS_AFTER_S + 2)
    assert not current.is_stale


def test_who_is_silent_is_stale(fleet: Fleet) -> None:
    fleet.on_report(0.0, UTC, "av1", report("a", 5))
    assert fleet.look(SILENT_AFTER_S) == []
    (stale,) = fleet.look(SILENT_AFTER_S + 1)
    assert stale.is_stale


def test_a_server_that_lags_takes_nothing_back(fleet: Fleet) -> None:
    fleet.on_server(1.0, "av2", rings(canary=4), "")
    assert fleet.published["canary"].generation == 5


def test_a_server_that_has_said_nothing_is_named_and_one_that_is_no_more_is_not(fleet: Fleet) -> None:
    fleet.expect_servers({"av2", "av1"})
    first, second = show(fleet, 2.0)["servers"]
    assert (first["name"], first["heard_s"], first["rings"]["all"]["generation"]) == ("av1", 2.0, 4)
    assert second == {"name": "av2", "rings": {}, "error": "", "heard_s": None, "unheard": True}
    assert not first["unheard"]
    fleet.expect_servers({"av2"})
    assert [row["name"] for row in show(fleet, 2.0)["servers"]] == ["av2"]


def test_the_worst_stand_first(fleet: Fleet) -> None:
    fleet.on_report(0.0, UTC, "av1", report("b-good", 5))
    fleet.on_report(0.0, UTC, "av1", report("a-failing", 5, error="disk full"))
    fleet.on_report(0.0, UTC, "av1", report("z-late", 1))
    fleet.look(0.0)
    fleet.on_report(LAGS_AFTER_S, UTC, "av1", report("b-good", 5))
    fleet.look(LAGS_AFTER_S + 1)
    rows = show(fleet, LAGS_AFTER_S + 1)["clients"]
    assert [row["host"] for row in rows] == ["z-late", "a-failing", "b-good"]
    assert [row["host"] for row in show(fleet, 0.0, only_stale=True)["clients"]] == ["z-late"]
    assert show(fleet, 0.0, "globex")["clients"] == []


@pytest.mark.parametrize(
    ("engine", "ended"),
    [
        ("ClamAV 0.99.4/1/x", "ClamAV 0.99 reached its end of life long ago"),
        ("ClamAV 0.103.8/26827", "ClamAV 0.103 reached its end of life on 2024-09-14"),
        ("ClamAV 1.0.7", "ClamAV 1.0 reached its end of life on 2025-11-28"),
        ("ClamAV 1.4.6/27000", ""),
        ("ClamAV 9.9.9", ""),
        ("something else", ""),
    ],
)
def test_engines_that_have_ended_are_named(engine: str, ended: str) -> None:
    assert end_of_life(engine, date(2026, 1, 1)) == ended
