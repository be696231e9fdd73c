"""Bridges of Open vSwitch: their owners, and the names of their tables.

Touches a bridge only if it carries our mark. Everything goes through
`ovs-vsctl`; its error messages are passed on.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

MARK = "postern-lab"
_DIRECTORY = "postern-lab-dir"
_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Bridge:
    name: str
    owner: str  # empty: not ours
    directory: str  # its lab's directory


def _vsctl(*arguments: str) -> str:
    command = ["ovs-vsctl", f"--timeout={_TIMEOUT_S}", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_TIMEOUT_S + 5
        )
    except FileNotFoundError as error:
        raise LabError("Open vSwitch is not installed; remedy: make setup") from error
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        if "database connection failed" in said or "SIGALRM" in said or "Alarm clock" in said:
            raise LabError(f"Open vSwitch is not running ({said}); remedy: make setup")
        raise LabError(f"ovs-vsctl failed: {said}")
    return done.stdout


def bridges() -> list[Bridge]:
    """Return every bridge of this machine. Raise `LabError` if Open vSwitch does not run."""
    table = json.loads(_vsctl("--format=json", "--columns=name,external_ids", "list", "Bridge"))
    found = []
    for name, external in table["data"]:
        marks = dict(external[1])
        found.append(Bridge(name, marks.get(MARK, ""), marks.get(_DIRECTORY, "")))
    return found


def label(names: Iterable[str], directory: Path) -> None:
    """Write the lab's directory into our bridges."""
    for name in names:
        _vsctl("set", "Bridge", name, f'external_ids:{_DIRECTORY}="{directory}"')


def remove(owner: str) -> None:
    """Remove the bridges that carry this mark, and no other. With an empty mark, remove none."""
    if not owner:
        return
    for bridge in bridges():
        if bridge.owner == owner:
            _vsctl("--if-exists", "del-br", bridge.name)


def name_tables(bridge: str, name_by_number: Mapping[int, str]) -> None:
    """Give the tables of a bridge names, so that `ovs-ofctl --names` prints them."""
    creations: list[str] = []
    settings: list[str] = []
    for number, name in sorted(name_by_number.items()):
        creations += ["--", f"--id=@t{number}", "create", "Flow_Table", f"name={name}"]
        settings.append(f"flow_tables:{number}=@t{number}")
    if settings:
        _vsctl(*creations[1:], "--", "set", "Bridge", bridge, *settings)


def is_connected(bridge: str) -> bool:
    """Return whether a bridge has a controller now."""
    return "true" in _vsctl("--columns=is_connected", "list", "Controller", *_controllers(bridge)).split()


def _controllers(bridge: str) -> list[str]:
    return _vsctl("get", "Bridge", bridge, "controller").strip().strip("[]").replace(",", " ").split()
