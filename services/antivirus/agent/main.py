"""`postern-av-agent`: the update agent beside freshclam on a client, and on scanners, as a program."""

import argparse
import json
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from common import entry
from common.exit_codes import ExitCode
from common.journal.journal import Journal
from common.journal.sink import FileSink
from common.options import duration_option
from common.wire.codec import to_media
from common.wire.signatures import SignatureReport
from services.antivirus.agent.download import Fetcher, UpdateNotFetched
from services.antivirus.agent.events import UpdateAgentEvent
from services.antivirus.agent.update import NotUpdated, UpdatePaths, UpdateState, load_state, update
from services.antivirus.agent.verification import Clamd, engine_version
from services.base import program

_PROGRAM = "postern-av-agent"
_VERSION = "0.1"
_HEARTBEAT_S = 60.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 10.0
_EPILOG = """\
The agent waits for a new generation of signatures by long polling and downloads what has changed. It
verifies the builder's signature and every hash, and checks that clamscan loads the generation and finds its
marker. Only then does it install the files in the database directory. If anything fails, the current
signatures stay. Files of other origin are never touched. ClamAV's own databases are left to freshclam, which
is run when they are due.

example:
  postern-av-agent --server http://192.0.2.120 --database /var/lib/clamav --state /var/lib/postern-av \\
      --public-key /etc/postern-av.pub --clamd /run/clamav/clamd.ctl
"""


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        _PROGRAM, "Keep the anti-virus signatures of this host up to date.", _EPILOG
    )
    add = parser.add_argument
    add("--server", type=Fetcher, required=True, metavar="URL", help="the anti-virus servers")
    add("--database", type=Path, required=True, metavar="DIR", help="ClamAV's database directory")
    add("--state", type=Path, required=True, metavar="DIR", help="directory for the agent's own state")
    add("--public-key", type=Path, required=True, metavar="FILE", help="the builder's public key")
    add("--clamd", type=Clamd, metavar="HOST:PORT|SOCKET", help="clamd that loads new signatures")
    add("--freshclam-config", type=Path, metavar="FILE", help="run freshclam with this file when it is due")
    add("--spread", type=duration_option("0s", "1d"), metavar="DURATION",
        help="longest random delay before a download (default: set by the server)")  # fmt: skip
    add("--kind", choices=("client", "scanner"), default="client",
        help="kind of host, in reports (default: client)")  # fmt: skip
    add("--name", default=socket.gethostname(), help="this host's name in reports (default: its host name)")
    add("--once", action="store_true", help="update once, then exit; the exit code is 1 if that failed")
    add("--log", type=Path, metavar="FILE", help="journal, JSON lines (default: standard output)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        journal = Journal(FileSink(parsed.log), _PROGRAM, parsed.name)
    except OSError as error:
        print(
            f"{_PROGRAM}: {parsed.log}: {error}; remedy: choose a log file that can be written",
            file=sys.stderr,
        )
        return 1
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, lambda *_: _reopen(journal))
    agent = Agent(parsed, journal)
    try:
        return agent.once() if parsed.once else agent.run()
    except KeyboardInterrupt:
        return 0


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _reopen(journal: Journal) -> None:
    """Reopen the log after a log rotation."""
    try:
        journal.reopen()
    except OSError as error:
        journal.write(UpdateAgentEvent.LOG_NOT_REOPENED, reason=str(error))


class Agent:
    def __init__(self, parsed: argparse.Namespace, journal: Journal) -> None:
        self._journal = journal
        self._fetcher: Fetcher = parsed.server
        self._clamd: Clamd | None = parsed.clamd
        self._places = UpdatePaths(parsed.database, parsed.state, parsed.public_key, parsed.freshclam_config)
        self._spread_s = parsed.spread
        self._identity = {"host": parsed.name, "kind": parsed.kind, "agent": _VERSION}
        self._state: UpdateState = load_state(parsed.state)
        self._seen = self._state.serial  # already handled, successfully or not: wait for another serial
        self._error, self._is_to_be_tried_again = "", False
        self._reported_at = -_HEARTBEAT_S
        self._engine = ""
        self._is_unreported = self._state.serial > 0  # report after each restart, too

    def once(self) -> int:
        """Update now; return an exit code."""
        self._update()
        with suppress(UpdateNotFetched):
            self._report()
        return ExitCode.FAILED if self._error else ExitCode.OK

    def run(self) -> NoReturn:
        """Wait and update forever."""
        retry_s = _FIRST_RETRY_S
        while True:
            try:
                if self._is_unreported:
                    self._report()
                if (spread_s := self._fetcher.wait(self._seen)) is not None:
                    time.sleep(random.uniform(0, spread_s if self._spread_s is None else self._spread_s))
                    self._update()
                    if self._is_to_be_tried_again:
                        raise UpdateNotFetched(self._error)
                elif time.monotonic() - self._reported_at >= _HEARTBEAT_S:
                    self._report()
                retry_s = _FIRST_RETRY_S
            except UpdateNotFetched as error:
                event = (
                    UpdateAgentEvent.UPDATE_RETRIED if self._error else UpdateAgentEvent.SERVER_NOT_REACHED
                )
                self._journal.write(event, reason=str(error))
                time.sleep(random.uniform(retry_s / 2, retry_s))
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)

    def _update(self) -> None:
        began, before = time.monotonic(), self._fetcher.received_bytes
        self._is_unreported = True
        try:
            self._state = update(self._fetcher, self._places, self._state, self._clamd)
        except NotUpdated as error:
            self._error, self._is_to_be_tried_again = str(error), not error.serial
            self._seen = error.serial or self._seen
            self._journal.write(UpdateAgentEvent.UPDATE_REFUSED, reason=str(error))
            return
        self._error, self._is_to_be_tried_again, self._seen = "", False, self._state.serial
        self._journal.write(
            UpdateAgentEvent.UPDATED,
            generation=self._state.generation,
            serial=self._state.serial,
            bytes=self._fetcher.received_bytes - before,
            seconds=round(time.monotonic() - began, 3),
        )

    def _report(self) -> None:
        """Report our state to a server. Raise `UpdateNotFetched` if none accepts it: it is sent again."""
        self._engine = self._engine or engine_version(self._clamd)
        report = SignatureReport(
            **self._identity,
            client=self._state.client,
            generation=self._state.generation,
            serial=self._state.serial,
            installed_at=self._state.installed_at,
            engine=self._engine,
            error=self._error[:200],
            bytes=self._fetcher.received_bytes,
        )
        try:
            self._fetcher.report(json.dumps(to_media(report)).encode())
            self._reported_at, self._is_unreported = time.monotonic(), False
        except UpdateNotFetched as error:
            self._journal.write(UpdateAgentEvent.NOT_REPORTED, reason=str(error))
            raise


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
