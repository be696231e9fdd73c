"""One anti-virus server: follows the builder, serves through nginx, hands reports on to the controller."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from aiohttp import web

from common.api import ApiAccess
from services.antivirus.server.http import Answering, read_source
from services.antivirus.server.nginx import Nginx, NginxFailed
from services.antivirus.server.replica import Copy, NotCopied
from services.antivirus.settings import Settings, SignatureClient, parse_settings
from services.base import controller, ipv6
from services.base.journal import Journal
from services.base.settings import SettingsError
from services.base.watched import WatchedFile

_LOOK_EVERY_S = 0.1
_TELL_EVERY_S = 0.5
_SAY_EVERY_S = 5.0
_MOST_IN_A_POST = 200
_PARTING_S = 0.2  # who waits for a generation asks another server
_BACKLOG = 4_096  # a whole fleet may come at once
_RETRY_S = 1.0


class Event(StrEnum):
    STARTED = "AntivirusServerStarted"
    STOPPED = "AntivirusServerStopped"
    SETTINGS_LOADED = "SettingsLoaded"
    SETTINGS_REFUSED = "SettingsRefused"
    GENERATION_SERVED = "GenerationServed"
    GENERATION_REFUSED = "GenerationRefused"
    NGINX_DIED = "NginxDied"
    NGINX_REFUSED = "NginxRefused"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server has its things, and who it is. `api`: None: nothing is reported."""

    settings: Path
    home: Path
    name: str
    api: ApiAccess | None = None


class Server:
    """`start`, then `run` until cancelled, then `stop`."""

    def __init__(self, place: Place, copy: Copy, journal: Journal) -> None:
        self._file, self._home, self._copy = WatchedFile(place.settings), place.home, copy
        self._journal, self._name, self._api = journal, place.name, place.api
        self._settings: Settings = parse_settings(self._file.read())
        self._nginx = Nginx(place.home)
        self._problem, self._retry_at = "", 0.0
        self._answering = Answering(copy, self._who_asks, self._what_is_wrong)
        self._runner = web.AppRunner(
            self._answering.application(), access_log=None, shutdown_timeout=_PARTING_S
        )
        self._said: tuple[str, ...] = ()

    async def start(self) -> None:
        """Raise `OSError` or `NginxFailed`."""
        (self._home / "run").mkdir(parents=True, exist_ok=True)
        (self._home / "www").mkdir(exist_ok=True)
        self._copy.load()
        self._take_over()
        await self._runner.setup()
        # nginx's workers, who are somebody else, must reach it.
        await web.UnixSite(self._runner, str(self._home / "run" / "daemon.sock"), backlog=_BACKLOG).start()
        (self._home / "run" / "daemon.sock").chmod(0o666)
        await self._nginx.serve(self._settings)
        self._journal.write(Event.STARTED, revision=self._settings.revision)
        if any(address.version == 6 for address in self._settings.addresses):
            ipv6.tell_if_missing(self._journal, "signatures at the pool's IPv6 addresses")

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._keep_nginx())
            if self._api is not None:
                tasks.create_task(self._hand_on(self._api))

    async def stop(self) -> None:
        await self._nginx.stop()
        await self._runner.cleanup()
        self._journal.write(Event.STOPPED)

    def reload(self) -> None:
        """Take the settings up again at the next look, changed or not."""
        self._said = ("reload",)

    async def _follow(self) -> None:
        while True:
            if self._copy.has_changed() and asyncio.get_running_loop().time() >= self._retry_at:
                await asyncio.to_thread(self._take_over)
                self._answering.tell_all()
                self._retry_at = asyncio.get_running_loop().time() + (_RETRY_S if self._problem else 0.0)
            if self._file.has_changed() or self._said:
                self._said = ()
                await self._take_settings()
            await asyncio.sleep(_LOOK_EVERY_S)

    def _take_over(self) -> None:
        try:
            changed = self._copy.take_over()
            self._problem = ""
        except NotCopied as error:
            changed = []
            if str(error) != self._problem:
                self._journal.write(Event.GENERATION_REFUSED, why=str(error))
            self._problem = str(error)
        for name in changed:
            ring = self._copy.rings[name]
            self._journal.write(
                Event.GENERATION_SERVED, ring=name, serial=ring.serial, generation=ring.generation
            )

    async def _take_settings(self) -> None:
        try:
            settings = parse_settings(self._file.read())
            await self._nginx.serve(settings)
        except (OSError, UnicodeDecodeError, SettingsError, NginxFailed) as error:
            self._journal.write(Event.SETTINGS_REFUSED, why=str(error))
            return
        self._settings = settings
        self._journal.write(Event.SETTINGS_LOADED, revision=settings.revision)

    async def _keep_nginx(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._nginx.is_alive:
                continue
            self._journal.write(Event.NGINX_DIED)
            try:
                await self._nginx.serve(self._settings)
            except (OSError, NginxFailed) as error:
                self._journal.write(Event.NGINX_REFUSED, why=str(error))
            await asyncio.sleep(_RETRY_S)

    async def _hand_on(self, api: ApiAccess) -> None:
        """Give the controller what agents reported, and say how we are; what he does not take waits."""
        said_at, said = -_SAY_EVERY_S, dict[str, Any]()
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            reports = self._answering.reports
            batch = [reports[number] for number in range(min(len(reports), _MOST_IN_A_POST))]
            facts = self._facts()
            if not batch and loop.time() - said_at < _SAY_EVERY_S and facts == said:
                continue
            body = json.dumps({**facts, "reports": batch}).encode()
            try:
                await controller.request(api, "POST", "/v1/antivirus/reports", body)
            except controller.Refused:
                pass  # it never will take these
            except controller.NotHeard:
                await asyncio.sleep(_RETRY_S)
                continue
            said_at, said = loop.time(), facts
            for _ in batch:
                with contextlib.suppress(IndexError):
                    reports.popleft()

    def _facts(self) -> dict[str, Any]:
        rings = {
            name: {"serial": ring.serial, "generation": ring.generation, "changed": ring.changed}
            for name, ring in self._copy.rings.items()
        }
        return {"server": self._name, "rings": rings, "error": self._what_is_wrong()}

    def _who_asks(self, source: str) -> SignatureClient | None:
        return self._settings.asker_by_source.get(read_source(source))

    def _what_is_wrong(self) -> str:
        """A generation that is refused is a reason to be told of, not one to serve nothing."""
        return "" if self._copy.rings else self._problem
