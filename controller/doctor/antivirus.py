"""An anti-virus server's host, or the builder's: the programs that it needs, and the owner of its port."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from controller.doctor.finding import Finding
from controller.doctor.system import output_of

_NEEDED = {
    "nginx": "nginx",  # serves
    "minisign": "minisign",  # signs, verifies
    "clamscan": "clamav",  # tries a generation
    "sigtool": "clamav",  # verifies ClamAV's own
    "clamd": "clamav-daemon",  # the canary
}
_PORT = 80


@dataclass(frozen=True, slots=True)
class AntivirusFacts:
    missing: tuple[str, ...]
    at_port: str  # the program that listens at port 80; empty: none, or we may not see it


def look() -> AntivirusFacts:
    searched = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # a user's PATH has no sbin
    missing = tuple(name for name in _NEEDED if shutil.which(name, path=searched) is None)
    listening = output_of("ss", "-Hltnp", f"sport = :{_PORT}") or ""
    found = re.search(r'users:\(\("([^"]+)"', listening)
    return AntivirusFacts(missing, found[1] if found else "")


def judge(facts: AntivirusFacts) -> Iterator[Finding]:
    packages = sorted({_NEEDED[name] for name in facts.missing})
    yield Finding(
        "programs",
        f"missing: {', '.join(facts.missing)}" if facts.missing else "all installed",
        f"apt-get install --no-install-recommends {' '.join(packages)}" if packages else "",
    )
    is_strange = facts.at_port not in ("", "nginx")
    yield Finding(
        f"port {_PORT}",
        f"{facts.at_port} listens here" if facts.at_port else "free",
        f"make {facts.at_port} listen at another port: clients fetch signatures here" if is_strange else "",
    )
