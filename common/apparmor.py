"""Runs programs without the AppArmor profiles that Debian's packages give them.

The profiles of clamd, freshclam and tcpdump allow Debian's own directories. Where we run these programs with
other directories, the kernel would refuse those, even to root.
"""

from collections.abc import Iterable

# For a shell that is about to `exec` (sh(1)). proc(5): the second file is shared with other security modules.
# Where AppArmor is off, there is no profile. Where we may not leave our own profile, the program keeps it.
LEAVE_PROFILE = """\
for file in /proc/self/attr/apparmor/exec /proc/self/attr/exec; do
    { echo "exec unconfined" >"$file"; } 2>/dev/null && break || :
done
"""


def unconfined(command: Iterable[str]) -> list[str]:
    """Return the command that runs `command` without a profile; it replaces itself, so the pid stays."""
    return ["/bin/sh", "-c", f'{LEAVE_PROFILE}exec "$@"', "sh", *command]
