"""`postern-uplink`: the controller's API, and a pool's settings, on a host that shares no disk with it."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from services.base import program
from services.base.daemon import run_daemon
from services.uplink.access import Access, BadAccess
from services.uplink.daemon import Uplink, UplinkOptions

_PROGRAM = "postern-uplink"
_MEMBER = re.compile(r"[^./\s]{1,100}\.[^./\s]{1,100}")
_EPILOG = """\
On the controller's host:   postern token add proxies.proxy1 --role member
On the member's host:       that token in /etc/postern/token (chmod 600), and a copy of
                            /var/lib/postern/api/certificate.pem as /etc/postern/api.pem

example:  postern-uplink --api https://192.0.2.1:9057 --trust /etc/postern/api.pem --member proxies.proxy1

The other programs on this host then find the API at the socket and their settings in the file, as on
the controller's host. With a token of another role, leave out --member: then there is only the socket,
for `postern-sensors` or for `postern` itself.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Make the controller's API available at a unix socket on this host, over TLS, with a token that no "
        "other program here sees; and keep the settings file of a member's pool current.",
        _EPILOG,
    )
    add = parser.add_argument
    add("--api", required=True, metavar="https://HOST:PORT", help="the controller's POSTERN_LISTEN")
    add("--token", type=Path, default=Path("/etc/postern/token"), metavar="FILE", help="(/etc/postern/token)")
    add(
        "--trust",
        type=Path,
        metavar="FILE",
        help="the API's certificate (default: the system's trusted ones)",
    )
    add("--member", type=_member, metavar="POOL.NAME", help="keep the settings of this member's pool here")
    add(
        "--settings",
        type=Path,
        metavar="FILE",
        help="path of that settings file (/var/lib/postern/gateways/POOL.json)",
    )
    add(
        "--socket",
        type=Path,
        default=Path("/run/postern/api.sock"),
        metavar="PATH",
        help="where programs on this host find the API (/run/postern/api.sock)",
    )
    program.add_journal_arguments(parser, "uplink")
    return parser


def _member(text: str) -> str:
    if not _MEMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not POOL.NAME, for example proxies.proxy1")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        access = Access(parsed.api, parsed.token, parsed.trust)
    except BadAccess as error:
        return program.fail(_PROGRAM, str(error))
    return run_daemon(_PROGRAM, parsed, lambda journal: Uplink(_options(parsed), access, journal))


def _options(parsed: argparse.Namespace) -> UplinkOptions:
    pool = parsed.member.partition(".")[0] if parsed.member else ""
    file = parsed.settings or Path(f"/var/lib/postern/gateways/{pool}.json")
    return UplinkOptions(parsed.socket, parsed.member or "", pool, file)


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
