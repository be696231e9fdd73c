"""Sets up a program's environment, so that nothing depends on its caller.

Changes this process, and through it every program that it starts. Programs that need
a stricter umask than 022 set it themselves, later.
"""

import locale
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# What Debian gives root. An ordinary user has no */sbin, where Open vSwitch, `ip` and nginx are.
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_LOCALE = "C.UTF-8"  # we read what other programs print
_UMASK = 0o022
_TEMPORARY = "/tmp"
_LONGEST_TEMPORARY = 50  # bytes: sockets are created below it, and their paths have at most 107 (unix(7))
_MOST_FILES = 1 << 20  # systemd's limit; without a limit, some programs would try each number
_NOWHERE = ("/proc", "/")  # in the first one, nothing can be written by mistake


def settle() -> None:
    """Make this process independent of its caller's PATH, umask, locale, TMPDIR, directory and file limit."""
    _open_standard_descriptors()
    _allow_many_files()
    os.umask(_UMASK)
    wanted = settled(os.environ)
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    with suppress(locale.Error):
        locale.setlocale(locale.LC_CTYPE, _LOCALE)  # for libraries that open files without naming an encoding
    _leave_removed_directory()


def settled(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which programs are found, and speak English in UTF-8."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith("LC_") and name != "LANGUAGE" and not _is_unusable_temporary(name, value)
    }
    path = complete_path(environment.get("PATH", ""))
    return {**kept, "PATH": path, "LANG": _LOCALE, "LC_ALL": _LOCALE, **_temporary(environment, kept)}


def complete_path(path: str) -> str:
    """Return a search path with Debian's directories appended, and without the working directory."""
    named = [each for each in path.split(os.pathsep) if os.path.isabs(each)]
    return os.pathsep.join(dict.fromkeys((*named, *_PATH)))


def _temporary(environment: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    return {"TMPDIR": _TEMPORARY} if "TMPDIR" in environment and "TMPDIR" not in kept else {}


def _is_unusable_temporary(name: str, value: str) -> bool:
    if name not in ("TMPDIR", "TEMP", "TMP"):
        return False
    is_usable = os.path.isabs(value) and os.path.isdir(value) and os.access(value, os.W_OK | os.X_OK)
    return not is_usable or len(os.fsencode(value)) > _LONGEST_TEMPORARY


def _open_standard_descriptors() -> None:
    """Keep a file from getting the number of a closed standard output: our programs would write into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # as Python sets it if the descriptor is closed at the start
            stream = os.fdopen(number, "w", encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _allow_many_files() -> None:
    """Raise the limit of descriptors: a session takes one or two, and a login shell allows 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard, _MOST_FILES)  # on Linux it cannot be unlimited: fs.nr_open bounds it
    if soft < most:
        with suppress(ValueError, OSError):  # the kernel's own bound may have been lowered since
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _leave_removed_directory() -> None:
    try:
        Path.cwd()
    except OSError:
        for directory in _NOWHERE:
            with suppress(OSError):
                os.chdir(directory)
                return
