"""Programs that Debian confines to its own directories are run without that, where it is possible."""

from pathlib import Path

import pytest

from common.apparmor import unconfined

_CLAMD = ["clamd", "--foreground"]


def test_where_apparmor_is_on_clamd_leaves_its_profile(tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.write_text("unconfined\n", encoding="ascii")
    assert unconfined(_CLAMD, [current]) == ["setpriv", "--apparmor-profile=unconfined", "--", *_CLAMD]


@pytest.mark.parametrize(
    "label", ["docker-default (enforce)\n", "unconfined_u:unconfined_r:unconfined_t:s0\0", ""]
)
def test_where_we_are_confined_ourselves_or_by_something_else_nothing_is_tried(
    tmp_path: Path, label: str
) -> None:
    current = tmp_path / "current"
    current.write_text(label, encoding="ascii")
    assert unconfined(_CLAMD, [current]) == _CLAMD


def test_where_there_is_no_apparmor_the_command_stays_as_it_is(tmp_path: Path) -> None:
    assert unconfined(_CLAMD, [tmp_path / "nothing", Path("/proc/self/mem")]) == _CLAMD
