"""One anti-virus server: follows the builder, serves through nginx, passes reports on to the controller."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aiohttp import web

from common.api import ApiAccess
from common.journal.journal import Journal
from common.wire.antivirus import AntivirusSettings, SignatureClient
from common.wire.codec import to_media
from common.wire.signatures import ServedRing, ServerReport
from services.antivirus.server.events import AntivirusServerEvent
from services.antivirus.server.http import DaemonHttp, read_source
from services.antivirus.server.nginx import Nginx, NginxFailed
from services.antivirus.server.replica import NotCopied, Replica
from services.base import controller, ipv6
from services.base.daemon import Job, SettingsDaemon

_LOOK_EVERY_S = 0.1
_TELL_EVERY_S = 0.5
_SAY_EVERY_S = 5.0
_MOST_IN_A_POST = 200
_PARTING_S = 0.2  # a waiting client asks another server
_BACKLOG = 4_096  # a whole fleet may connect at once
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The paths of a server, and its name. Without `api`, nothing is reported."""

    settings: Path
    home: Path
    name: str
    api: ApiAccess | None = None


class AntivirusServer(SettingsDaemon[AntivirusSettings]):
    poll_s = _LOOK_EVERY_S
    refusals = (*SettingsDaemon.refusals, NginxFailed)

    def __init__(self, options: ServerOptions, copy: Replica, journal: Journal) -> None:
        super().__init__(options.settings, journal)
        self._home, self._copy = options.home, copy
        self._name, self._api = options.name, options.api
        self._nginx = Nginx(options.home)
        self._problem, self._retry_at = "", 0.0
        self._refusal = ""  # why the controller refused the last reports
        self._answering = DaemonHttp(copy, self._who_asks, self._what_is_wrong)
        self._runner = web.AppRunner(
            self._answering.application(), access_log=None, shutdown_timeout=_PARTING_S
        )

    def read(self) -> AntivirusSettings:
        return self.read_record(AntivirusSettings)

    def describe(self, settings: AntivirusSettings) -> Mapping[str, object]:
        return {"revision": settings.revision}

    async def start(self) -> None:
        """Raise `OSError`, `SettingsError` or `NginxFailed`."""
        (self._home / "run").mkdir(parents=True, exist_ok=True)
        (self._home / "www").mkdir(exist_ok=True)
        self._copy.load()
        await self._take_over()
        await self._runner.setup()
        # nginx's workers run as another user and need access.
        await web.UnixSite(self._runner, str(self._home / "run" / "daemon.sock"), backlog=_BACKLOG).start()
        (self._home / "run" / "daemon.sock").chmod(0o666)
        await super().start()
        self.journal.write(AntivirusServerEvent.ANTIVIRUS_SERVER_STARTED, revision=self.settings.revision)
        if any(address.version == 6 for address in self.settings.addresses):
            ipv6.tell_if_missing(self.journal, "signatures at the pool's IPv6 addresses")

    def chores(self) -> Mapping[str, Job]:
        chores = {**super().chores(), "generations": self._follow, "nginx": self._keep_nginx}
        return {**chores, "reports": partial(self._hand_on, self._api)} if self._api else chores

    async def close(self) -> None:
        await self._nginx.stop()
        await self._runner.cleanup()

    def note_stopped(self) -> None:
        self.journal.write(AntivirusServerEvent.ANTIVIRUS_SERVER_STOPPED)

    async def take_up(self, settings: AntivirusSettings) -> None:
        await self._nginx.serve(settings)
        self.use(settings)

    async def _follow(self) -> None:
        """Follow the builder: copy what it publishes, and answer the clients that wait for it."""
        loop = asyncio.get_running_loop()
        while True:
            if self._copy.has_changed() and loop.time() >= self._retry_at:
                await self._take_over()
                self._answering.tell_all()
                self._retry_at = loop.time() + (_RETRY_S if self._problem else 0.0)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _take_over(self) -> None:
        try:
            changed = await asyncio.to_thread(self._copy.take_over)
            self._problem = ""
        except NotCopied as error:
            changed = []
            if str(error) != self._problem:
                self.journal.write(AntivirusServerEvent.GENERATION_REFUSED, reason=str(error))
            self._problem = str(error)
        for name in changed:
            ring = self._copy.rings[name]
            self.journal.write(
                AntivirusServerEvent.GENERATION_SERVED,
                ring=name,
                serial=ring.serial,
                generation=ring.generation,
            )

    async def _keep_nginx(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._nginx.is_alive:
                continue
            self.journal.write(AntivirusServerEvent.NGINX_DIED)
            try:
                await self._nginx.serve(self.settings)
            except (OSError, NginxFailed) as error:
                self.journal.write(AntivirusServerEvent.NGINX_REFUSED, reason=str(error))
            await asyncio.sleep(_RETRY_S)

    async def _hand_on(self, api: ApiAccess) -> None:
        """Report the agents' reports and the server's state to the controller, until it accepts them."""
        said_at, said = -_SAY_EVERY_S, ServerReport(server=self._name)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            reports = self._answering.reports
            batch = [reports[number] for number in range(min(len(reports), _MOST_IN_A_POST))]
            now = self._report()
            if not batch and loop.time() - said_at < _SAY_EVERY_S and now == said:
                continue
            body = body_of(replace(now, reports=tuple(batch)))
            try:
                await controller.request(api, "POST", "/v1/antivirus/reports", body)
                self._refusal = ""
            except controller.ControllerRefused as error:
                self._note_refusal(len(batch), str(error))  # and drop them: they will never be accepted
            except controller.NotHeard:
                await asyncio.sleep(_RETRY_S)
                continue
            said_at, said = loop.time(), now
            for _ in batch:
                with contextlib.suppress(IndexError):
                    reports.popleft()

    def _note_refusal(self, count: int, reason: str) -> None:
        if reason != self._refusal:
            self.journal.write(AntivirusServerEvent.REPORTS_REFUSED, count=count, reason=reason)
        self._refusal = reason

    def _report(self) -> ServerReport:
        rings = {
            name: ServedRing(ring.serial, ring.generation, ring.changed)
            for name, ring in self._copy.rings.items()
        }
        return ServerReport(server=self._name, rings=rings, error=self._what_is_wrong())

    def _who_asks(self, source: str) -> SignatureClient | None:
        address = read_source(source)
        return self.settings.client_by_source.get(address) if address else None

    def _what_is_wrong(self) -> str:
        """Return why there is nothing to serve. After a refused generation the last one is served."""
        return "" if self._copy.rings else self._problem


def body_of(report: ServerReport) -> bytes:
    """Write a report for the controller, in UTF-8: escapes would make it up to three times as large."""
    return json.dumps(to_media(report), ensure_ascii=False).encode()
