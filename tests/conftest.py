"""What all tests share: a test that cannot run here fails with the reason, and is never skipped."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from common.environment import settle
from common.journal import check
from services.base.files import remove_tree
from tests.examples import examples_of

# Programs that tests start compare each line of their journals with the catalogue of events.
os.environ[check.VARIABLE] = "1"
settle()  # as every program of ours begins: tests call parts of them, too
# No example fails because the machine is busy: pytest's own time limit ends what hangs.
hypothesis.settings.register_profile(
    "postern",
    deadline=None,
    max_examples=examples_of(100),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("postern")

_temporary = pytest.StashKey[Path]()

_LAB_TIMEOUT_S = 400  # a lab may have to go down and come up first; on a busy machine, that takes minutes
_PROGRAMS_BY_MARKER = {
    "ovs": ("ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl"),
    "lab": ("ovs-vswitchd", "ovs-vsctl", "mnexec", "clamd", "postfix", "swaks", "tcpdump", "ethtool"),
}


@pytest.hookimpl(tryfirst=True)  # before pytest chooses
def pytest_configure(config: pytest.Config) -> None:
    """Have tests clean up when the run is ended, and give it a temporary directory of its own.

    Runs of one user share /tmp/pytest-of-USER, and each closes it to other users when it begins: nginx's
    workers and Postfix, in the middle of a test of another run, cannot reach their files any more.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    if not config.option.basetemp:
        config.stash[_temporary] = Path(tempfile.mkdtemp(prefix="postern-tests-"))
        config.option.basetemp = str(config.stash[_temporary])


@pytest.fixture
def signals_kept() -> Iterator[None]:
    """Restore the signals' handlers, which a loop that had its own resets to the system's."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def _end(_number: int, _frame: object) -> None:
    """End the run as Ctrl-C does; what is asked again meanwhile does not disturb the cleaning up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Remove the temporary directory, unless somebody will want to look into it."""
    if directory := config.stash.get(_temporary, None):
        if exitstatus == pytest.ExitCode.TESTS_FAILED:
            terminalreporter.write_line(f"temporary files of this run: {directory}")
        else:
            remove_tree(directory)


@pytest.hookimpl(trylast=True)  # after -m and -k have taken out what nobody asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Raise `pytest.UsageError` if tests were chosen that this machine or this user cannot run."""
    for marker, programs in _PROGRAMS_BY_MARKER.items():
        if not any(item.get_closest_marker(marker) for item in items):
            continue
        if missing := [name for name in programs if not shutil.which(name, path=_search_path())]:
            raise pytest.UsageError(
                f"tests marked {marker!r} need {', '.join(missing)}; remedy: make setup-test, "
                f"or leave them out: pytest -m 'not {marker}'"
            )
    if os.geteuid() != 0 and any(item.get_closest_marker("lab") for item in items):
        raise pytest.UsageError(
            "tests marked 'lab' make network namespaces and need root; remedy: make lab-tests, "
            "or leave them out: pytest -m 'not lab'"
        )
    for item in items:
        if item.get_closest_marker("lab") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_LAB_TIMEOUT_S))


def _search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
