"""Reports of unexpected errors: where they go, what they hold, what they must not."""

import os
import time
from pathlib import Path

import pytest

from common import reports
from common.reports import build_report, directories, hide_arguments, one_line, save

TOKEN = "Zm9vYmFyYmF6cXV4LWZvb2JhcmJhenF1eC1mb28tYmE"  # 43 characters, as the API makes them


def caught(text: str) -> BaseException:
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        error.add_note("while the moon was full")
        return error


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOGS_DIRECTORY", str(tmp_path))
    return tmp_path / "reports"


def test_a_report_says_what_who_where_and_when() -> None:
    text = build_report("postern-mail", caught("boom"), "in thread reader")
    for part in (
        "program    postern-mail",
        "python     3.",
        "where      in thread reader",
        "RuntimeError: boom",
    ):
        assert part in text
    assert "Traceback (most recent call last)" in text
    assert "while the moon was full" in text


def test_a_report_is_its_owners_alone_whatever_the_umask(place: Path) -> None:
    before = os.umask(0)
    try:
        file = save("postern", "text")
    finally:
        os.umask(before)
    assert file.parent == place
    assert (file.stat().st_mode & 0o777, place.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_program_that_fails_again_and_again_keeps_its_latest_reports_and_those_of_others(
    place: Path,
) -> None:
    other = save("postern-mail", "of another program")
    files = [save("postern", f"{number}") for number in range(reports.KEPT + 3)]
    for age, file in enumerate(reversed(files)):
        if file.exists():
            os.utime(file, (time.time() - age, time.time() - age))
    last = save("postern", "last")
    kept = set(place.glob("postern-report-*"))
    assert len(kept) == reports.KEPT
    assert last in kept
    assert other.exists()


def test_root_finds_reports_below_var_log_and_others_in_their_home() -> None:
    assert list(directories({"HOME": "/root"}, 0)) == [Path("/var/log/postern/reports")]
    assert list(directories({"HOME": "/home/me"}, 1000)) == [Path("/home/me/.local/state/postern/reports")]
    assert next(directories({"HOME": "/home/me", "XDG_STATE_HOME": "/s"}, 1000)) == Path("/s/postern/reports")


def test_a_user_without_a_home_has_none_in_the_working_directory() -> None:
    assert list(directories({"HOME": "", "XDG_STATE_HOME": "relative"}, 987_654)) == []


def test_where_no_directory_can_be_made_the_report_is_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "directories", lambda *_: iter([Path("/proc/nowhere")]))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert save("postern", "text").parent == tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "https://me:geheim-17@192.0.2.1/path",
        "Authorization: Bearer geheim-17-geheim-17",
        '{"password": "geheim-17"}',
        "api_key=geheim-17",
        "POSTERN_TOKEN=geheim-17",
        "secret: 'geheim-17 and more'",
    ],
)
def test_a_secret_in_an_error_is_not_in_its_report(text: str) -> None:
    assert "geheim" not in build_report("postern", caught(text)).partition("RuntimeError: ")[2]
    assert "geheim" not in one_line(text)


def test_a_token_is_hidden_wherever_it_stands() -> None:
    assert TOKEN not in one_line(f"no such token {TOKEN}, sorry")


def test_arguments_that_follow_a_telling_option_are_hidden_and_paths_are_not() -> None:
    shown = hide_arguments(
        ["postern", "--password", "geheim", "--token=geheim", "--token", "/etc/postern/token"]
    )
    assert shown == ["postern", "--password", "***", "--token=***", "--token", "/etc/postern/token"]


def test_what_an_attacker_sent_moves_no_cursor() -> None:
    assert "\x1b" not in build_report("postern", caught("\x1b[2J\x07"))
    assert one_line("a\x1b[2J\nb\r\nc") == "a\\x1b[2J b c"


def test_a_huge_error_makes_a_bounded_report() -> None:
    assert len(build_report("postern", caught("x" * 5_000_000))) < 300_000
