"""One Suricata: turns its log file, or the socket that it writes to, into evidence."""

import asyncio
import contextlib
import os
import socket
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from common.journal.journal import Report
from services.base.evidence import Evidence
from services.sensors.events import SensorsEvent
from services.sensors.settings import Suricata
from services.sensors.suricata.eve import Skipped, parse_line
from services.sensors.suricata.lines import LineSplitter
from services.sensors.suricata.log_follower import Follower
from services.sensors.tenants import TenantLookup

_LONGEST_LINE = 1024 * 1024  # Suricata can be configured to put payloads and packets into alerts
_LOOK_S = 0.25
_SAVE_EVERY = 20  # looks
_TELL_S = 60.0
_MOST_WRITERS = 16
_LARGEST_DATAGRAM = 256 * 1024


class SuricataSensor:
    """Counts the lines that it skips, and reports the counts once a minute."""

    def __init__(
        self,
        settings: Suricata,
        state_dir: Path,
        tenants: TenantLookup,
        add: Callable[[Evidence], None],
        report: Report,
    ) -> None:
        self._settings, self._tenants, self._add, self._report = settings, tenants, add, report
        self._position_file = state_dir / "suricata" / f"{settings.name}.json"
        self._counts: Counter[str] = Counter()
        self._writers = 0
        self._trouble = ""

    async def run(self) -> None:
        telling = asyncio.create_task(self._tell_now_and_then())
        try:
            if self._settings.file is not None:
                await self._follow(self._settings.file)
            elif self._settings.stream is not None:
                await self._listen(self._settings.stream)
            elif self._settings.datagram is not None:
                await self._receive(self._settings.datagram)
        finally:
            telling.cancel()
            self._tell()

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                evidence = parse_line(line, self._tenants.owner, self._settings.least_severity)
            except Skipped as reason:
                self._counts[str(reason)] += 1
            else:
                if evidence is not None:
                    self._counts["alerts"] += 1
                    self._add(evidence)

    async def _follow(self, path: Path) -> None:
        follower, splitter = Follower(path, self._position_file), LineSplitter(_LONGEST_LINE)
        looks = 0
        try:
            while True:
                data = self._read(follower)
                if follower.has_begun_anew:
                    splitter.end()
                self._take(splitter.feed(data))
                self._note_overlong(splitter)
                looks += 1
                self._tenants.look()
                if looks % _SAVE_EVERY == 0:
                    self._save(follower)
                await asyncio.sleep(0 if data else _LOOK_S)
        finally:
            self._save(follower)
            follower.close()

    def _read(self, follower: Follower) -> bytes:
        try:
            data = follower.read()
        except OSError as error:
            self._complain(str(error))
            return b""
        if self._trouble:
            self._trouble = ""
            self._tell_event(SensorsEvent.SURICATA_FOLLOWED)
        return data

    def _save(self, follower: Follower) -> None:
        try:
            follower.save()
        except OSError as error:
            self._complain(f"position not saved: {error}")

    def _complain(self, why: str) -> None:
        """Report each problem once, not four times per second."""
        if why != self._trouble:
            self._trouble = why
            self._tell_event(SensorsEvent.SURICATA_UNREADABLE, reason=why)

    async def _listen(self, path: Path) -> None:
        """Suricata's `filetype: unix_stream` connects to a socket that another program listens on."""
        _remove_stale_socket(path)
        server = await asyncio.start_unix_server(self._on_writer, path)
        os.chmod(path, 0o660)
        try:
            async with server:
                await server.serve_forever()
        finally:
            path.unlink(missing_ok=True)

    async def _on_writer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        splitter = LineSplitter(_LONGEST_LINE)
        self._writers += 1
        self._tenants.look()
        try:
            if self._writers > _MOST_WRITERS:
                self._counts["writers turned away"] += 1
                return
            with contextlib.suppress(OSError):
                while data := await reader.read(_LARGEST_DATAGRAM):
                    self._take(splitter.feed(data))
                    self._note_overlong(splitter)
                    await asyncio.sleep(0)
        finally:
            self._writers -= 1
            writer.close()

    async def _receive(self, path: Path) -> None:
        """Suricata's `filetype: unix_dgram`: one line in each datagram."""
        _remove_stale_socket(path)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            receiver.bind(str(path))
            os.chmod(path, 0o660)
            while True:
                datagram = await loop.sock_recv(receiver, _LARGEST_DATAGRAM)
                self._take([line for line in datagram.split(b"\n") if line.strip()])
                self._tenants.look()
        finally:
            receiver.close()
            path.unlink(missing_ok=True)

    def _note_overlong(self, splitter: LineSplitter) -> None:
        if splitter.overlong:
            self._counts["overlong"] += splitter.overlong
            splitter.overlong = 0

    async def _tell_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            self._tell()

    def _tell(self) -> None:
        if self._counts:
            counts = {name.replace(" ", "_"): number for name, number in self._counts.items()}
            self._tell_event(SensorsEvent.SURICATA_COUNTED, **counts)
            self._counts.clear()

    def _tell_event(self, event: SensorsEvent, **facts: object) -> None:
        self._report(event, suricata=self._settings.name, **facts)


def _remove_stale_socket(path: Path) -> None:
    """Remove the socket of a killed run. Any other file stays, and then bind() fails with an error."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
