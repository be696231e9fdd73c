"""Several runs of pytest share the same tests: a run that is free takes the next file of tests.

Each run stands on a machine apart (tests/apart), so that labs do not meet. It takes a file of tests by
creating a file of that name in a directory (`--claims DIR`), which only one run can do.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

# Those that take longest come first, so that no run is left with one of them at the end.
_LONGEST = (
    "test_lifecycle",
    "test_pool_under_load",
    "test_reach",
    "test_sessions_held",
    "test_many_switches",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--claims", type=Path, metavar="DIR", help="share the tests with other runs of pytest")


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run what this run gets hold of. As pytest's own loop, which needs to know each test's successor."""
    claims: Path | None = session.config.getoption("--claims")
    if claims is None or session.config.option.collectonly or session.testsfailed:
        return None
    items = _claimed(session.items, claims)
    item = next(items, None)
    while item is not None:
        successor = next(items, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=successor)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = successor
    return True


def _claimed(items: list[pytest.Item], claims: Path) -> Iterator[pytest.Item]:
    by_file: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.nodeid.partition("::")[0], []).append(item)
    for file in sorted(by_file, key=_rank):
        if _claim(claims / file.replace("/", "%")):  # two directories may have files of one name
            yield from by_file[file]


def _rank(file: str) -> int:
    name = Path(file).stem
    return _LONGEST.index(name) if name in _LONGEST else len(_LONGEST)


def _claim(file: Path) -> bool:
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
