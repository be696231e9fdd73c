"""The names that hosts of the lab can resolve: their own and each other's. They ask no resolver outside.

A program that looks up its own host's name (swaks, sudo, a mail server) would otherwise wait for this
machine's resolver, and without one for ten seconds each time.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from common.apparmor import LEAVE_PROFILE

# nsswitch.conf(5): names come from the file alone. resolv.conf(5): any other lookup is refused at once.
_FIXED = {
    "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
}
_LOOPBACK = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
# $1: the host, $2: the directory of its files, then the command.
_TAKE_NAMES = f"""\
echo "$1" >/proc/sys/kernel/hostname
for file in hosts nsswitch.conf resolv.conf; do
    [ ! -e "/etc/$file" ] || mount --bind "$2/$file" "/etc/$file"
done
shift 2
{LEAVE_PROFILE}exec "$@"
"""


def write(directory: Path, addresses_by_host: Mapping[str, Iterable[str]]) -> None:
    """Write what all hosts read in place of /etc. Raise `OSError`."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [f"{address} {host}\n" for host, addresses in addresses_by_host.items() for address in addresses]
    known = {address.split()[1] for address in rows}
    rows += [f"127.0.1.1 {host}\n" for host in addresses_by_host if host not in known]
    (directory / "hosts").write_text(_LOOPBACK + "".join(rows), encoding="ascii")
    for name, text in _FIXED.items():
        (directory / name).write_text(text, encoding="ascii")


def knowing(host: str, directory: Path, command: Iterable[str]) -> list[str]:
    """Return the command that runs `command` under a host's name: it replaces itself, so the pid stays.

    A lab has its own directories, which AppArmor's profiles for Debian's services do not allow.
    """
    return [
        "unshare",
        "--mount",
        "--uts",
        "/bin/sh",
        "-ec",
        _TAKE_NAMES,
        "sh",
        host,
        str(directory),
        *command,
    ]
