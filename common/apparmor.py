"""Runs programs without the AppArmor profiles that Debian's packages give them.

The profiles of clamd, freshclam and tcpdump allow Debian's own directories. Where we run these programs with
directories of our own, the kernel would refuse those, even to root.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# proc(5), and the kernel's AppArmor documentation: the second is shared with other security modules.
_CURRENT = (Path("/proc/self/attr/apparmor/current"), Path("/proc/self/attr/current"))


def unconfined(command: Iterable[str], current: Iterable[Path] = _CURRENT) -> list[str]:
    """Return the command that runs `command` without a profile; it replaces itself, so the pid stays.

    Where AppArmor is off there is no profile. Where we are confined ourselves (in a container, say), the
    programs that we start keep our profile instead of taking their own, and we may not leave it.
    """
    # setpriv(1) fails where AppArmor is off.
    return [*(("setpriv", "--apparmor-profile=unconfined", "--") if _is_free(current) else ()), *command]


def _is_free(current: Iterable[Path]) -> bool:
    for file in current:
        with suppress(OSError):
            return file.read_text(encoding="ascii", errors="replace").strip("\0\n") == "unconfined"
    return False
