"""What a program makes of the environment that somebody started it in."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.environment import complete_path, settle, settled

ROOTS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.mark.parametrize("path", ["", ":", ".", "bin:../tools"])
def test_without_a_search_path_that_is_any_debians_own_is_used(path: str) -> None:
    assert complete_path(path) == ROOTS


def test_an_ordinary_users_path_keeps_its_order_and_gets_what_it_lacks() -> None:
    path = complete_path("/home/me/bin:/usr/local/bin:/usr/bin:/bin:/usr/games")
    assert path == "/home/me/bin:/usr/local/bin:/usr/bin:/bin:/usr/games:/usr/local/sbin:/usr/sbin:/sbin"


def test_nothing_is_looked_for_in_the_working_directory() -> None:
    assert complete_path("/opt/bin::./tools:.") == f"/opt/bin:{ROOTS}"


def test_programs_that_we_start_speak_english_in_utf_8() -> None:
    environment = settled(
        {"LANG": "de_DE", "LC_MESSAGES": "de_DE", "LANGUAGE": "de:fr", "LC_ALL": "tr_TR", "A": "b"}
    )
    assert environment == {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PATH": ROOTS, "A": "b"}


def test_a_temporary_directory_that_can_be_used_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t").mkdir()
    assert settled({"TMPDIR": "/var/tmp"})["TMPDIR"] == "/var/tmp"
    assert settled({"TMPDIR": "t"})["TMPDIR"] == "/tmp"  # it depends on the working directory


def test_a_temporary_directory_too_long_for_a_socket_is_not_used(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60)
    deep.mkdir()
    assert settled({"TMPDIR": str(deep)})["TMPDIR"] == "/tmp"


@pytest.mark.parametrize("directory", ["/proc/no/such/directory", "/dev/null", ""])
def test_a_temporary_directory_that_is_none_is_replaced(directory: str) -> None:
    assert settled({"TMPDIR": directory, "TEMP": directory}) == {
        "TMPDIR": "/tmp",
        "PATH": ROOTS,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture
def file_limit() -> Iterator[int]:
    """Lower the limit of open files, as a login shell does; return how far it may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_login_shells_limit_of_1024_open_files_does_not_bind_a_program(file_limit: int) -> None:
    settle()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(file_limit, 1 << 20), file_limit)


def test_what_was_not_named_is_not_named_afterwards() -> None:
    assert "TMPDIR" not in settled(dict(os.environ) | {"PATH": "/bin"}) or "TMPDIR" in os.environ
