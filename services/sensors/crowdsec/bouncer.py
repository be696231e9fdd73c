"""Polls a CrowdSec API and forwards its decisions to the controller.

It sends all decisions at the start and after a failure on either side, otherwise only changes. Changes are
applied to our own list first, so none is lost if the controller is unavailable: it then gets the whole list.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from common.api import ApiAccess
from common.journal.journal import Report
from services.base import controller
from services.base.controller import NotHeard
from services.base.settings import Network
from services.sensors import web
from services.sensors.crowdsec.decisions import ORIGIN, BadStream, Bans, Changes
from services.sensors.events import SensorsEvent
from services.sensors.networks import to_text
from services.sensors.origin import body_of, replace_patiently, summary
from services.sensors.settings import CrowdSec

_LIMITS = web.FetchLimits(60.0, 128 * 1024**2, redirects=0)
_MOST_SINGLE_CHANGES = 200  # above this, sending the whole list is cheaper
_MOST_IN_ONE = 1_000
_WHOLE_EVERY_S = 3600.0
_LONGEST_PAUSE_S = 60.0


class Bouncer:
    def __init__(
        self, settings: CrowdSec, api: ApiAccess, report: Report, tenants: Callable[[], tuple[Network, ...]]
    ) -> None:
        self._settings, self._api, self._report, self._tenants = settings, api, report, tenants
        self._bans = Bans(settings)
        self._whole_due_at = 0.0
        self._failures = 0
        self._wake = asyncio.Event()

    def refresh(self) -> None:
        """Request everything now."""
        self._whole_due_at = 0.0
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._look()
                self._failures = 0
            except (web.WebNotFetched, BadStream, OSError, UnicodeDecodeError) as error:
                self._note_failure(str(error))
            pause_s = min(self._settings.poll_s * 2 ** min(self._failures, 10), _LONGEST_PAUSE_S)
            try:
                async with asyncio.timeout(max(self._settings.poll_s, pause_s)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _note_failure(self, why: str) -> None:
        """Changes may have been missed, so request everything next time."""
        if not self._failures:
            self._report(SensorsEvent.CROWDSEC_AWAY, url=self._settings.url, reason=why, held=len(self._bans))
        self._failures += 1
        self._whole_due_at = 0.0

    async def _look(self) -> None:
        now = time.monotonic()
        if now >= self._whole_due_at:
            self._bans.begin(await self._ask(startup=True), time.monotonic(), self._tenants())
            await self._send_whole()
            self._whole_due_at = now + _WHOLE_EVERY_S
            return
        changes = self._bans.apply(await self._ask(startup=False), time.monotonic(), self._tenants())
        self._bans.expire(time.monotonic())
        if not (changes.gone or changes.new):
            return
        self._report(SensorsEvent.CROWDSEC_CHANGED, new=len(changes.new), gone=len(changes.gone))
        if len(changes.gone) + len(changes.new) > _MOST_SINGLE_CHANGES:
            await self._send_whole()
            return
        try:
            await self._send(changes)
        except NotHeard:
            await self._send_whole()

    async def _ask(self, startup: bool) -> Any:
        key = await asyncio.to_thread(self._settings.key_file.read_text, encoding="utf-8")
        url = f"{self._settings.url}/v1/decisions/stream?startup={str(startup).lower()}"
        answer = await web.get(url, {"X-Api-Key": key.strip()}, _LIMITS)
        try:
            return await asyncio.to_thread(json.loads, answer.body)
        except (ValueError, RecursionError) as error:
            raise BadStream(f"not valid JSON: {error}") from error

    async def _send_whole(self) -> None:
        await replace_patiently(
            self._api, ORIGIN, lambda: self._bans.decisions(time.monotonic()), self._report
        )
        self._report(SensorsEvent.CROWDSEC_SYNCED, held=len(self._bans), left_out=self._bans.left_out)

    async def _send(self, changes: Changes) -> None:
        """Send the changes to the controller. Raise `NotHeard`."""
        for network in changes.gone:
            path = f"/v1/decisions?origin={ORIGIN}&value={quote(to_text(network), safe='')}"
            await controller.request(self._api, "DELETE", path)
        new = self._bans.decisions(time.monotonic(), changes.new)
        for start in range(0, len(new), _MOST_IN_ONE):
            body = body_of(new[start : start + _MOST_IN_ONE])
            answer = await controller.request(self._api, "POST", "/v1/decisions", body)
            if (refused := summary(answer))["refused"]:
                self._report(SensorsEvent.CROWDSEC_CHANGED, **refused)
