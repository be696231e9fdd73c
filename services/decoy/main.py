"""`postern-decoy`: the decoys of all tenants, as a program."""

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from common import entry
from common.api import access_by_socket, add_socket_option
from common.config.errors import ConfigErrors
from common.journal.journal import Journal
from common.options import duration_option, number_option, size_option
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
DIR/TENANT.yaml describes the hosts of a tenant and their answers. A tenant without a file looks like a
plain Debian. SSH and Telnet are left to Cowrie (postern-cowrie). The controller writes the settings file
(STATE_DIR/gateways/POOL.json). Both are read again when they change; files with errors change nothing, and
each error is in the journal: file, line, key, remedy.

The host must accept tenants' addresses as its own: ip route add local PREFIX dev lo, for each prefix.
With root (or CAP_NET_ADMIN, CAP_BPF and CAP_NET_BIND_SERVICE) the kernel rejects connections to closed ports.
Otherwise they are accepted and reset at once, which attackers can notice.

The decoy connects only to the controller's unix socket; the kernel enforces it (Landlock, Linux 6.7).
Signals: SIGTERM or Ctrl-C: stop; SIGHUP: reload everything, reopen the log.

examples:
  postern-decoy --settings /var/lib/postern/gateways/decoys.json --personas /etc/postern/personas \\
      --spool /var/lib/postern/decoy --log /var/log/postern/decoy.jsonl --name decoy1 \\
      --api unix:/run/postern/api.sock
  postern-decoy-replay /var/lib/postern/decoy SESSION       print a recorded session, with times
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM,
        "Impersonate tenants' servers for attackers: record what they do and upload, and report it to the "
        "controller. A decoy accepts no message and executes nothing.",
        _EPILOG,
    )
    program.add_common_arguments(parser, "decoy", "this member's name in the journal")
    add = parser.add_argument
    add("--personas", type=Path, required=True, metavar="DIR", help="directory of personas, DIR/TENANT.yaml")
    add(
        "--spool",
        type=Path,
        required=True,
        metavar="DIR",
        help="directory for recordings, uploads and certificates",
    )
    add_socket_option(parser, "no evidence is sent")
    add(
        "--syslog",
        default="",
        metavar="PLACE",
        help="write the journal to syslog, too: unix:PATH or udp:ADDRESS:PORT",
    )
    _add_limits(parser)
    return parser


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Add what bounds the sessions of attackers, and the space that they may fill."""
    count, time, space = number_option(), duration_option("1s", "1d"), size_option("1MiB", "1024GiB")
    for name, kind, default, what in (
        ("--sessions", count, "2000", "maximum concurrent sessions"),
        (
            "--sessions-per-source",
            count,
            "100",
            "maximum concurrent sessions of one address, or one IPv6 /64",
        ),
        ("--session-time", time, "15m", "maximum duration of a session"),
        ("--idle-time", time, "2m", "time after which a silent client is disconnected"),
        ("--session-size", space, "32MiB", "maximum data from a client in a session"),
        ("--uploads", space, "256MiB", "space for uploads of attackers; beyond it only hashes are kept"),
        ("--recordings", space, "256MiB", "space for recordings; the oldest are removed"),
    ):
        metavar = {count: "N", time: "DURATION", space: "SIZE"}[kind]
        parser.add_argument(
            name, type=kind, default=default, metavar=metavar, help=f"{what} (default: {default})"
        )


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
        reason = f"{error}: the kernel cannot restrict the decoy's connections"
        journal.write(DecoyEvent.DECOY_FAILED, reason=reason)
    return Decoy(_options(parsed), journal)


def _options(parsed: argparse.Namespace) -> DecoyOptions:
    caps = DecoyCaps(
        sessions=parsed.sessions,
        sessions_per_source=parsed.sessions_per_source,
        seconds=parsed.session_time,
        idle_s=parsed.idle_time,
        bytes_in=parsed.session_size,
    )
    return DecoyOptions(
        settings=parsed.settings,
        personas=parsed.personas,
        spool=parsed.spool,
        api=access_by_socket(parsed),
        caps=caps,
        upload_bytes=parsed.uploads,
        recording_bytes=parsed.recordings,
        recording_bytes_per_session=min(_MB, parsed.recordings // 4),
    )


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
