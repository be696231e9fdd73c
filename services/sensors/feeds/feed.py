"""One feed: fetched when it is due, judged, kept, and sent to the controller."""

import asyncio
import os
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from common.api import ApiAccess
from common.journal.journal import Report
from common.wire.decisions import RequestedDecision
from services.base.settings import Network
from services.sensors import web
from services.sensors.events import SensorsEvent
from services.sensors.feeds.guards import FeedAccepted, FeedRefusal, judge
from services.sensors.feeds.kept import FeedCopy, Keeper
from services.sensors.feeds.lists import Contents, parse_feed
from services.sensors.origin import Because, replace_patiently, to_decision
from services.sensors.settings import Feed

_RETRY_S = 300.0  # an unreachable feed is tried again sooner than its refresh


def origin_of(name: str) -> str:
    return f"feed:{name}"


class FeedRunner:
    """Runs one feed forever. Tenants are read each time: the controller may replace their file."""

    def __init__(
        self,
        feed: Feed,
        keeper: Keeper,
        api: ApiAccess,
        report: Report,
        tenants: Callable[[], tuple[Network, ...]],
    ) -> None:
        self._feed, self._keeper, self._api, self._tenants = feed, keeper, api, tenants
        self._report = report
        self._path = keeper.path(feed.name)
        self._copy: FeedCopy | None = None
        self._is_on_disk = False
        self._wake = asyncio.Event()

    def refresh(self) -> None:
        """Fetch now."""
        self._wake.set()

    async def run(self) -> None:
        sending: asyncio.Task[None] | None = None
        await self._load()
        if self._copy is not None:
            sending = self._send(None)  # keep the last good list in force meanwhile
        try:
            while True:
                self._wake.clear()
                is_there = await self._look()
                sending = self._send(sending)
                await self._pause(self._feed.refresh_s if is_there else min(self._feed.refresh_s, _RETRY_S))
        finally:
            if sending is not None:
                sending.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _load(self) -> None:
        try:
            copy = await asyncio.to_thread(self._keeper.load, self._feed.name)
        except (OSError, ValueError) as error:
            self._tell(SensorsEvent.FEED_COPY_UNUSABLE, reason=str(error), file=str(self._path))
            return
        if copy is not None and copy.source == self._feed.source:
            self._copy = copy
            self._is_on_disk = True

    async def _look(self) -> bool:
        """Fetch and judge the feed; return whether it was usable."""
        # The operator removes the copy to accept a list that the guards refuse in comparison with it.
        last = None if self._is_on_disk and not self._path.exists() else self._copy
        try:
            answer = await self._fetch(last)
        except (web.WebNotFetched, OSError) as error:
            self._tell(SensorsEvent.FEED_UNREACHABLE, reason=str(error), **self._held())
            return False
        if answer.is_unchanged:
            return await self._renew(last)
        return await self._take(answer, None if last is None else len(last.note_by_network))

    async def _fetch(self, last: FeedCopy | None) -> web.WebAnswer:
        feed = self._feed
        if not feed.is_url:
            body = await asyncio.to_thread(read_file, feed.source, feed.size_limit_bytes)
            return web.WebAnswer(False, body)
        headers = {}
        if last is not None:
            headers = {"If-None-Match": last.etag, "If-Modified-Since": last.last_modified}
        present = {name: value for name, value in headers.items() if value}
        return await web.get(feed.source, present, web.FetchLimits(feed.time_limit_s, feed.size_limit_bytes))

    async def _renew(self, last: FeedCopy | None) -> bool:
        if last is None:
            self._tell(
                SensorsEvent.FEED_UNREACHABLE, reason="the server sent an unsolicited 304", **self._held()
            )
            return False
        self._copy = replace(last, fetched_at=time.time())
        self._tell(SensorsEvent.FEED_UNCHANGED, entries=len(last.note_by_network))
        await self._keep(self._copy)
        return True

    async def _take(self, answer: web.WebAnswer, before: int | None) -> bool:
        feed, tenants = self._feed, self._tenants()

        def read() -> tuple[Contents, FeedAccepted | FeedRefusal]:
            contents = parse_feed(answer.body, feed.shape)
            return contents, judge(contents, before, feed.guards, tenants)

        contents, verdict = await asyncio.to_thread(read)
        if isinstance(verdict, FeedRefusal):
            remedy = f"if the feed is right, remove {self._path} and send SIGHUP"
            self._tell(SensorsEvent.FEED_REFUSED, reason=verdict.why, remedy=remedy, **self._held())
            return False
        self._copy = FeedCopy(
            feed.source, time.time(), answer.etag, answer.last_modified, verdict.note_by_network
        )
        self._tell(
            SensorsEvent.FEED_ACCEPTED,
            entries=len(verdict.note_by_network),
            before=before or 0,
            unreadable=contents.unreadable,
            left_out=len(verdict.left_out),
            examples=list(map(str, verdict.left_out[:3])),
        )
        await self._keep(self._copy)
        return True

    async def _keep(self, copy: FeedCopy) -> None:
        try:
            await asyncio.to_thread(self._keeper.save, self._feed.name, copy)
        except OSError as error:
            self._tell(SensorsEvent.FEED_NOT_KEPT, reason=str(error), file=str(self._path))
        self._is_on_disk = self._path.exists()

    def _send(self, sending: asyncio.Task[None] | None) -> asyncio.Task[None] | None:
        """Send the whole list again each time: decisions expire unless they are renewed."""
        if sending is not None:
            sending.cancel()
        if self._copy is None:
            return None
        if time.time() - self._copy.fetched_at > self._feed.keep_for_s:
            self._tell(SensorsEvent.FEED_TOO_OLD, **self._held())
            return None
        origin = origin_of(self._feed.name)
        return asyncio.create_task(replace_patiently(self._api, origin, self._decisions, self._report))

    def _decisions(self) -> list[RequestedDecision]:
        assert self._copy is not None
        feed = self._feed
        origin, decisions = origin_of(feed.name), []
        for network, note in self._copy.note_by_network.items():
            because = Because(origin, feed.name, f"listed by {feed.name}{': ' * bool(note)}{note}")
            decisions.append(to_decision(network, feed.meaning, because, feed.duration_s))
        return decisions

    def _held(self) -> dict[str, object]:
        if self._copy is None:
            return {"held": 0}
        moment = datetime.fromtimestamp(self._copy.fetched_at, UTC)
        return {"held": len(self._copy.note_by_network), "held_from": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}

    def _tell(self, event: SensorsEvent, **facts: object) -> None:
        self._report(event, feed=self._feed.name, **facts)


def read_file(path: str, most_bytes: int) -> bytes:
    """Return a regular file, decompressed. Raise `OSError` or `WebNotFetched`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would block
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise web.WebNotFetched(f"{path} is not a regular file")
        body = file.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise web.WebNotFetched(f"is larger than {most_bytes} bytes")
    return web.decompress(body, most_bytes)
