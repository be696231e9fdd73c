"""The lists of pinned Python packages: whole, hashed, without an index, for every Python that is promised."""

import configparser
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_SETUP = REPOSITORY / "deploy" / "setup"
_LISTS = ("requirements.txt", "requirements-test.txt", "cowrie-requirements.txt")


def entries(name: str) -> dict[str, str]:
    """Return what stands under each package of a list, first line included."""
    text = re.sub(r"^ *#.*\n", "", (_SETUP / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {entry.partition("==")[0]: entry for entry in re.split(r"\n(?=[a-z])", text.strip())}


def asked(section: str, key: str) -> set[str]:
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    lines = setup[section][key].split("\n")
    return {re.split(r"[=<>;\s\[]", line.strip())[0].lower() for line in lines if line.strip()}


@pytest.mark.parametrize("name", _LISTS)
def test_every_package_is_pinned_with_a_hash_and_no_list_names_an_index(name: str) -> None:
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries(name).values())
    assert "://" not in (_SETUP / name).read_text(encoding="utf-8")
    assert not re.search(r"^ *-(?!-hash)", (_SETUP / name).read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_what_setup_cfg_asks_for_is_pinned_where_it_is_needed() -> None:
    assert asked("options", "install_requires") <= set(entries("requirements.txt"))
    assert asked("options.extras_require", "test") <= set(entries("requirements-test.txt"))


def test_python_3_13_gets_the_module_that_it_lost_and_3_11_does_not() -> None:
    """webob, which Ryu needs, imports cgi."""
    assert "; python_full_version >= '3.13'" in entries("requirements.txt")["legacy-cgi"]


def test_what_stands_in_both_lists_has_the_same_version_in_both() -> None:
    ours, tests = entries("requirements.txt"), entries("requirements-test.txt")
    for name in set(ours) & set(tests):
        assert re.split(r"[ ;]", ours[name])[0] == re.split(r"[ ;]", tests[name])[0]
