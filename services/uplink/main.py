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

From then on every other program on this host works as beside the controller: it finds the
API at the socket, and its settings in the file. With a token of another role leave --member
out: then there is only the socket, for `postern-sensors`, or for `postern` itself.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Bring the controller's API to a unix socket on this host, over TLS and with a token that no other "
        "program here gets to see; and keep the settings of a member's pool as the controller has them.",
        _EPILOG,
    )
    add = parser.add_argument
    add("--api", required=True, metavar="https://HOST:PORT", help="the controller's POSTERN_LISTEN")
    add("--token", type=Path, default=Path("/etc/postern/token"), metavar="FILE", help="(/etc/postern/token)")
    add("--trust", type=Path, metavar="FILE", help="the API's certificate (default: whom the system trusts)")
    add("--member", type=_member, metavar="POOL.NAME", help="keep the settings of this member's pool here")
    add(
        "--settings",
        type=Path,
        metavar="FILE",
        help="where to keep them (/var/lib/postern/gateways/POOL.json)",
    )
    add(
        "--socket",
        type=Path,
        default=Path("/run/postern/api.sock"),
        metavar="PATH",
        help="where the API is found here (/run/postern/api.sock)",
    )
    program.add_journal_arguments(parser, "uplink")
    return parser


def _member(text: str) -> str:
    if not _MEMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no POOL.NAME, such as proxies.proxy1")
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
