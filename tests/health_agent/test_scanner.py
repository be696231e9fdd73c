"""A real clamd, looked at by an agent: the canary, and the age of signatures."""

import asyncio
import runpy
import time

import pytest

from common.wire.health import ScannerCheck
from services.health_agent.scanner import SAMPLE, Found, look, too_old
from tests.health_agent.conftest import StartClamd
from tests.setup.clamd import REPOSITORY, Clamd
from tests.setup.dated import daily_cud

DAY_S = 86_400.0


def found_of(scanner: Clamd, max_age_s: float = 7 * DAY_S, canary_interval_s: float = 10.0) -> Found:
    check = ScannerCheck(
        port=scanner.port, signatures_max_age_s=max_age_s, canary_interval_s=canary_interval_s
    )
    return asyncio.run(look(check, "127.0.0.1", time.time()))


@pytest.mark.programs
def test_a_scanner_that_finds_the_canary_and_nothing_else_is_well(start_clamd: StartClamd) -> None:
    assert found_of(start_clamd()) == Found()


@pytest.mark.programs
def test_a_scanner_without_the_signature_is_ill_and_told_what_to_do(start_clamd: StartClamd) -> None:
    scanner = start_clamd(has_canary=False, other_ndb=b"Other:0:*:414243444546\n")
    assert "does not find the canary; remedy: install deploy/clamav" in found_of(scanner).problem
    assert found_of(scanner, canary_interval_s=0.0).problem == ""


@pytest.mark.programs
def test_a_scanner_that_finds_malware_everywhere_is_ill(start_clamd: StartClamd) -> None:
    scanner = start_clamd(zealous_ndb=b"Zealous:0:*:" + b"scanner".hex().encode() + b"\n")
    assert "reports harmless text as malware (infected Zealous.UNOFFICIAL)" in found_of(scanner).problem


@pytest.mark.parametrize(("age_days", "is_stale"), [(1, False), (6.9, False), (7.1, True), (400, True)])
@pytest.mark.programs
def test_a_scanner_with_old_signatures_is_stale_and_well(
    start_clamd: StartClamd, age_days: float, is_stale: bool
) -> None:
    found = found_of(start_clamd(daily_cud=daily_cud(time.time() - age_days * DAY_S)))
    assert found.problem == ""
    assert ("days old, more than 7 days" in found.stale) is is_stale


@pytest.mark.programs
def test_a_scanner_that_tells_no_age_is_not_called_stale(start_clamd: StartClamd) -> None:
    assert found_of(start_clamd(), max_age_s=60.0).stale == ""


def test_a_scanner_that_is_not_there_is_ill() -> None:
    found = asyncio.run(look(ScannerCheck(port=1, signatures_max_age_s=60.0), "127.0.0.1", time.time()))
    assert "Connect call failed" in found.problem


@pytest.mark.parametrize(
    "version",
    [
        "",
        "ClamAV 1.4.6",
        "ClamAV 1.4.6/27000/",
        "ClamAV 1.4.6/27000/yesterday",
        "x" * 10_000,
        "ClamAV 1/2/" * 99,
    ],
)
def test_a_version_without_a_date_says_nothing_of_age(version: str) -> None:
    assert too_old(version, 0.0, 2e9) == ""


def test_an_age_is_told_in_words() -> None:
    built = time.mktime((2026, 11, 23, 12, 0, 0, 0, 0, -1))
    version = "ClamAV 1.4.6/27000/Mon Nov 23 12:00:00 2026"
    assert too_old(version, 3_600.0, built + 3_600.0) == ""
    assert too_old(version, 3_600.0, built + 5_400.0) == "signatures are 1.5 hours old, more than 1.0 hours"
    assert too_old(version, 2 * DAY_S, built + 9 * DAY_S) == "signatures are 9 days old, more than 2 days"


def test_the_sample_is_the_one_that_we_ship_a_signature_for() -> None:
    maker = runpy.run_path(str(REPOSITORY / "deploy" / "clamav" / "make_signatures.py"))
    assert maker["OWN_SAMPLE"] == SAMPLE


def test_no_file_of_the_agent_looks_like_the_sample() -> None:
    for file in (REPOSITORY / "services").rglob("*.py"):
        assert SAMPLE not in file.read_bytes()
