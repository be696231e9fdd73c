"""The running update agent: waits for a new generation, installs it, reports what the host uses."""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Mapping
from contextlib import suppress

from common.journal.journal import Journal
from common.wire.codec import to_media
from common.wire.signatures import SignatureReport
from services.antivirus.agent.download import Fetcher, UpdateNotFetched
from services.antivirus.agent.events import UpdateAgentEvent
from services.antivirus.agent.update import NotUpdated, UpdatePaths, UpdateState, load_state, update
from services.antivirus.agent.verification import Clamd, engine_version
from services.base.daemon import Daemon, Job
from services.base.threads import in_thread

_VERSION = "0.1"
_HEARTBEAT_S = 60.0
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 10.0


class UpdateAgent(Daemon):
    """What blocks (HTTP, clamscan) runs in threads; the agent may be killed in any of them."""

    def __init__(self, parsed: argparse.Namespace, journal: Journal) -> None:
        super().__init__(journal)
        self._fetcher: Fetcher = parsed.server
        self._clamd: Clamd | None = parsed.clamd
        self._paths = UpdatePaths(parsed.database, parsed.state, parsed.public_key, parsed.freshclam_config)
        self._spread_s: float | None = parsed.spread
        self._identity = {"host": parsed.name, "kind": parsed.kind, "agent": _VERSION}
        self._state: UpdateState = load_state(parsed.state)
        self._seen = self._state.serial  # already handled, successfully or not: wait for another serial
        self._error, self._is_to_be_tried_again = "", False
        self._reported_at = -_HEARTBEAT_S
        self._engine = ""
        self._is_unreported = self._state.serial > 0  # report after each restart, too

    def chores(self) -> Mapping[str, Job]:
        return {"updates": self._keep_current}

    async def once(self) -> bool:
        """Update now; return whether that went well."""
        await self._update()
        with suppress(UpdateNotFetched):
            await self._report()
        return not self._error

    async def _keep_current(self) -> None:
        retry_s = _FIRST_RETRY_S
        while True:
            try:
                await self._await_and_update()
                retry_s = _FIRST_RETRY_S
            except UpdateNotFetched as error:
                is_update = bool(self._error)
                event = UpdateAgentEvent.UPDATE_RETRIED if is_update else UpdateAgentEvent.SERVER_NOT_REACHED
                self.journal.write(event, reason=str(error))
                await asyncio.sleep(random.uniform(retry_s / 2, retry_s))
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)

    async def _await_and_update(self) -> None:
        """Wait for another serial or for the time to report. Raise `UpdateNotFetched`."""
        if self._is_unreported:
            await self._report()
        spread_s = await in_thread(self._fetcher.wait, self._seen)
        if spread_s is not None:
            longest_s = spread_s if self._spread_s is None else self._spread_s
            await asyncio.sleep(random.uniform(0, longest_s))
            await self._update()
            if self._is_to_be_tried_again:
                raise UpdateNotFetched(self._error)
        elif time.monotonic() - self._reported_at >= _HEARTBEAT_S:
            await self._report()

    async def _update(self) -> None:
        began, before = time.monotonic(), self._fetcher.received_bytes
        self._is_unreported = True
        try:
            self._state = await in_thread(update, self._fetcher, self._paths, self._state, self._clamd)
        except NotUpdated as error:
            self._error, self._is_to_be_tried_again = str(error), not error.serial
            self._seen = error.serial or self._seen
            self.journal.write(UpdateAgentEvent.UPDATE_REFUSED, reason=str(error))
            return
        self._error, self._is_to_be_tried_again, self._seen = "", False, self._state.serial
        self.journal.write(
            UpdateAgentEvent.UPDATED,
            generation=self._state.generation,
            serial=self._state.serial,
            bytes=self._fetcher.received_bytes - before,
            seconds=round(time.monotonic() - began, 3),
        )

    async def _report(self) -> None:
        """Report our state to a server. Raise `UpdateNotFetched` if none accepts it: it is sent again."""
        self._engine = self._engine or await in_thread(engine_version, self._clamd)
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
            await in_thread(self._fetcher.report, json.dumps(to_media(report)).encode())
            self._reported_at, self._is_unreported = time.monotonic(), False
        except UpdateNotFetched as error:
            self.journal.write(UpdateAgentEvent.NOT_REPORTED, reason=str(error))
            raise
