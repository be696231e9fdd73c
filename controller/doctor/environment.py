"""Python and Ryu: known problems of building and importing a framework from before Python 3.10."""

import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from controller.doctor.finding import Finding
from controller.doctor.system import content_of, output_of

_RYU, _EVENTLET = "4.34", "0.41.3"
_OLDEST, _NEWEST = (3, 11), (3, 13)
_TRIED_ON = ("debian 12", "debian 13")
_MEND = "postern-ryu.pth"
_SET_UP = "make setup"


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """An empty text means that the program is not installed or does not run."""

    python: tuple[int, int]
    ryu: str
    eventlet: str
    has_mend: bool
    ryu_manager: str  # what `ryu-manager --version` prints
    has_mininet: bool  # in the system's own Python
    system: str  # as /etc/os-release names it
    release: str  # its ID and VERSION_ID


def look() -> EnvironmentFacts:
    system = dict(re.findall(r'^(\w+)="?(.*?)"?$', content_of("/etc/os-release") or "", re.MULTILINE))
    programs = Path(sys.executable).parent
    return EnvironmentFacts(
        python=(sys.version_info.major, sys.version_info.minor),
        ryu=_version("ryu"),
        eventlet=_version("eventlet"),
        has_mend=(Path(sysconfig.get_path("purelib")) / _MEND).exists(),
        ryu_manager=(output_of(str(programs / "ryu-manager"), "--version") or "").strip(),
        has_mininet=output_of("/usr/bin/python3", "-c", "import mininet.net") is not None,
        system=system.get("PRETTY_NAME", "unknown"),
        release=f"{system.get('ID', '')} {system.get('VERSION_ID', '')}".strip(),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def judge(facts: EnvironmentFacts) -> Iterator[Finding]:
    if facts.release in _TRIED_ON:
        yield Finding("system", facts.system)
    else:
        remedy = f"if something does not work, use {' or '.join(_TRIED_ON)}"
        yield Finding(
            "system", f"{facts.system}, on which Postern is not tested", remedy, "nothing that we know of"
        )
    python = ".".join(map(str, facts.python))
    is_tried = _OLDEST <= facts.python <= _NEWEST
    yield Finding(
        "Python", python, "" if is_tried else "use Python 3.11, 3.12 or 3.13: POSTERN_PYTHON=... make setup"
    )
    yield Finding(
        "Ryu",
        facts.ryu or "not installed",
        "" if facts.ryu == _RYU else f"{_SET_UP} (builds {_RYU} from source)",
    )
    yield Finding(
        "eventlet",
        facts.eventlet or "not installed",
        "" if facts.eventlet == _EVENTLET else f"{_SET_UP} (installs {_EVENTLET}, which works with Ryu)",
    )
    yield Finding(
        "Ryu's start-up hook",
        "installed" if facts.has_mend else f"{_MEND} is missing: eventlet lacks a name that Ryu imports",
        "" if facts.has_mend else f"{_SET_UP}, or: python -m controller.openflow.compat",
    )
    yield Finding(
        "ryu-manager",
        facts.ryu_manager or "does not start",
        "" if facts.ryu_manager else f"run it manually to see the error; then make clean; {_SET_UP}",
    )
    if facts.has_mininet:
        yield Finding("Mininet", "installed in the system's Python")
    else:
        remedy = f"apt-get install mininet, or {_SET_UP}"
        yield Finding("Mininet", "not installed in /usr/bin/python3", remedy, "the lab and the demo")
