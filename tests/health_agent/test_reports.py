"""What an agent reports about one round of checks."""

from common.wire.health import CheckKind, ClamdCheck, HealthReport, HttpCheck, SmtpCheck
from services.health_agent.scanner import Found
from services.health_agent.watch import report_of

CHECKS = (SmtpCheck(25), ClamdCheck(3310), HttpCheck(80), HttpCheck(81))


def test_a_round_without_a_problem_is_good_and_names_no_check() -> None:
    assert report_of(CHECKS, ["", "", "", ""], Found(stale="old")) == HealthReport(True, stale="old")


def test_the_kinds_of_all_failed_checks_are_reported_once_and_in_order() -> None:
    report = report_of(CHECKS, ["", "c: refused", "h: 503", "h: 404"], Found())
    assert report == HealthReport(
        False, "c: refused; h: 503; h: 404", failed=(CheckKind.CLAMD, CheckKind.HTTP)
    )


def test_a_scanner_that_misses_its_canary_has_failed_as_a_clamd() -> None:
    report = report_of(CHECKS[:1], [""], Found("clamd:127.0.0.1:3310: does not find the canary"))
    assert (report.good, report.failed) == (False, (CheckKind.CLAMD,))
