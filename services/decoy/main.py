"""`postern-decoy`: the decoys of all tenants, as a program."""

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from common import entry
from common.config.errors import ConfigErrors
from common.journal.journal import Journal
from services.base import program
from services.base.daemon import run_daemon
from services.decoy.admission import DecoyCaps
from services.decoy.daemon import DecoyOptions
from services.decoy.journal import DecoyEvent
from services.decoy.landlock import forbid_connections
from services.decoy.server import Decoy
from services.decoy.syslog import Syslog, SyslogError

_PROGRAM = "postern-decoy"
_MB = 1024 * 1024
_EPILOG = """\
DIR/TENANT.yaml says what is at which address of a tenant, and what it answers. A tenant without a file
gets a plain Debian. Ports of SSH and Telnet are left to Cowrie (postern-cowrie). The controller writes
the settings file (STATE_DIR/gateways/POOL.json). The decoy loads both again when they change; a file
with errors changes nothing, and the journal says file, line, key and remedy.

The host must accept tenants' addresses as its own: ip route add local PREFIX dev lo, for each prefix.
As root (or with CAP_NET_ADMIN, CAP_BPF and CAP_NET_BIND_SERVICE) the kernel itself refuses closed ports.
Without that they open and are reset at once, which gives the decoy away.

The decoy opens no connection except to the controller's unix socket; the kernel enforces that
(Landlock, Linux 6.7). Signals: SIGTERM or Ctrl-C stops; SIGHUP reloads everything and reopens the log.

example:
  postern-decoy --settings /var/lib/postern/gateways/decoys.json --personas /etc/postern/personas \\
      --spool /var/lib/postern/decoy --log /var/log/postern/decoy.jsonl --name decoy1 \\
      --controller /run/postern/api.sock
  postern-decoy-replay /var/lib/postern/decoy SESSION       what was said, with times
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Impersonate tenants' servers for attackers: record what they do and hand over, and report it "
        "to the controller. The decoy never accepts a message.",
        _EPILOG,
    )
    program.add_common_arguments(parser, "decoy", "this member's name in the journal")
    add = parser.add_argument
    add("--personas", type=Path, required=True, metavar="DIR", help="personas, DIR/TENANT.yaml")
    add("--spool", type=Path, required=True, metavar="DIR", help="for recordings, uploads and certificates")
    add("--controller", default="", metavar="SOCKET", help="unix socket of the API, for evidence")
    add(
        "--syslog",
        default="",
        metavar="PLACE",
        help="send the journal there as well: unix:PATH or udp:ADDRESS:PORT",
    )
    for name, default, what in (
        ("--sessions", 2_000, "maximum concurrent sessions"),
        ("--sessions-per-source", 100, "maximum concurrent sessions from one address or one IPv6 /64"),
        ("--seconds", 900, "maximum duration of a session, seconds"),
        ("--idle-seconds", 120, "maximum silence of a client, seconds"),
        ("--session-mb", 32, "maximum that a client may send in a session, MB"),
        ("--uploads-mb", 256, "quota for what attackers hand over; beyond it only hashes are kept"),
        ("--recordings-mb", 256, "quota for recordings; the oldest are removed"),
    ):
        add(name, type=_positive, default=default, metavar="N", help=f"{what} ({default})")
    return parser


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number; remedy: write plain digits")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        syslog = Syslog(parsed.syslog, parsed.name) if parsed.syslog else None
        ship = syslog.ship if syslog else None
        return run_daemon(
            _PROGRAM, parsed, lambda journal: _build(parsed, journal), ship=ship, runner=uvloop.run
        )
    except (ConfigErrors, SyslogError) as error:
        return program.fail(_PROGRAM, str(error))


def _build(parsed: argparse.Namespace, journal: Journal) -> Decoy:
    gc.freeze()
    try:
        forbid_connections()
    except OSError as error:
        reason = f"{error}: the kernel does not hold the decoy back"
        journal.write(DecoyEvent.DECOY_FAILED, reason=reason)
    return Decoy(_options(parsed), journal)


def _options(parsed: argparse.Namespace) -> DecoyOptions:
    caps = DecoyCaps(
        sessions=parsed.sessions,
        sessions_per_source=parsed.sessions_per_source,
        seconds=parsed.seconds,
        idle_s=parsed.idle_seconds,
        bytes_in=parsed.session_mb * _MB,
    )
    recordings = parsed.recordings_mb * _MB
    return DecoyOptions(
        settings=parsed.settings,
        personas=parsed.personas,
        spool=parsed.spool,
        controller=parsed.controller.removeprefix("unix:"),
        caps=caps,
        upload_bytes=parsed.uploads_mb * _MB,
        recording_bytes=recordings,
        recording_bytes_per_session=min(_MB, recordings // 4),
    )


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
