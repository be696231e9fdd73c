"""`postern-uplink`: the controller's API, and a pool's settings, on a host that shares no disk with it."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from common import entry
from common.api import ApiAccessError, access_in, add_api_options
from common.exit_codes import ExitCode
from services.base import program
from services.base.daemon import run_daemon
from services.uplink.access import Access
from services.uplink.daemon import Uplink, UplinkOptions

_PROGRAM = "postern-uplink"
_MEMBER = re.compile(r"[^./\s]{1,100}\.[^./\s]{1,100}")
_EPILOG = """\
On the controller's host:   postern token add proxies.proxy1 --role member
On the member's host:       that token in /etc/postern/token (chmod 600), and a copy of
                            /var/lib/postern/api/certificate.pem as /etc/postern/api.pem

Then every other program on this host works as on the controller's own host: it finds the API at
the socket, and its settings in the file. With a token of another role, omit --member: then only
the socket is offered, for `postern-sensors` or for `postern` itself.

example:
  postern-uplink --api https://192.0.2.1:9057 --ca-file /etc/postern/api.pem --member proxies.proxy1
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Offer the API of a controller on another host at a unix socket on this host, over TLS and with a "
        "token that no other program here can read. Also keep the settings of a member's pool up to date.",
        _EPILOG,
    )
    add = parser.add_argument
    add_api_options(parser, "", "required")
    add(
        "--member",
        type=_member,
        metavar="POOL.NAME",
        help="keep the settings of this member's pool up to date here",
    )
    add(
        "--settings",
        type=Path,
        metavar="FILE",
        help="file for these settings (default: /var/lib/postern/gateways/POOL.json)",
    )
    add(
        "--listen",
        type=Path,
        default=Path("/run/postern/api.sock"),
        metavar="PATH",
        help="the unix socket at which other programs here find the API (default: /run/postern/api.sock)",
    )
    program.add_journal_arguments(parser, "uplink")
    return parser


def _member(text: str) -> str:
    if not _MEMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not POOL.NAME, such as proxies.proxy1")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    if parsed.api is None:
        return program.fail(_PROGRAM, "no API was named; remedy: --api https://HOST:PORT", ExitCode.USAGE)
    try:
        access = Access(access_in(parsed))
    except ApiAccessError as error:
        return program.fail(_PROGRAM, str(error))
    return run_daemon(_PROGRAM, parsed, lambda journal: Uplink(_options(parsed), access, journal))


def _options(parsed: argparse.Namespace) -> UplinkOptions:
    pool = parsed.member.partition(".")[0] if parsed.member else ""
    file = parsed.settings or Path(f"/var/lib/postern/gateways/{pool}.json")
    return UplinkOptions(parsed.listen, parsed.member or "", pool, file)


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
