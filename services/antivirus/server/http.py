"""Requests that nginx cannot answer: waiting for a new generation, agents' reports, and the health check."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from ipaddress import ip_address

from aiohttp import web

from common.wire.antivirus import ClientKind, SignatureClient
from common.wire.codec import RecordError, load
from common.wire.signatures import ClientReport, SignatureReport
from common.wire.values import Address
from services.antivirus.server.replica import Replica

_WAITS_S = 25.0
_FETCHES_PER_S, _LONGEST_SPREAD_S = 50.0, 300.0  # of each server
_MOST_REPORTS = 10_000
_LARGEST_REPORT_BYTES = 4_096
WhoAsks = Callable[[str], SignatureClient | None]


class DaemonHttp:
    """The daemon's side of the web server. nginx supplies the ring and the source address."""

    def __init__(self, copy: Replica, who_asks: WhoAsks, is_well: Callable[[], str]) -> None:
        self._copy, self._who_asks, self._is_well = copy, who_asks, is_well
        self._changed = asyncio.Event()
        self.waiting = 0
        self.reports: deque[ClientReport] = deque(maxlen=_MOST_REPORTS)

    def application(self) -> web.Application:
        made = web.Application(client_max_size=_LARGEST_REPORT_BYTES)
        made.router.add_get("/v1/wait", self._wait)
        made.router.add_post("/v1/report", self._report)
        made.router.add_get("/healthz", self._health)
        return made

    def tell_all(self) -> None:
        """Wake all waiting clients: a ring has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, request: web.Request) -> web.Response:
        """Answer as soon as the client's ring has another serial than the client; 204 after `_WAITS_S`."""
        ring = request.headers.get("X-Postern-Ring", "")
        known = request.query.get("serial", "")
        if len(known) > 10 or not known.isdecimal():
            return web.Response(status=400, text="serial: not a number\n")
        deadline = time.monotonic() + _WAITS_S
        self.waiting += 1
        try:
            while True:
                changed = self._changed
                now = self._copy.rings.get(ring)
                if now is not None and now.serial != int(known):
                    return web.Response(
                        body=self._copy.documents[ring],
                        content_type="application/json",
                        headers={"X-Postern-Spread": f"{self._spread_s(request):.2f}"},
                    )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(deadline - time.monotonic()):
                        await changed.wait()
                if time.monotonic() >= deadline:
                    return web.Response(status=204)
        finally:
            self.waiting -= 1

    def _spread_s(self, request: web.Request) -> float:
        """Return the period over which waiting clients must spread their fetches; scanners fetch at once."""
        asker = self._who_asks(request.headers.get("X-Postern-Source", ""))
        is_scanner = asker is not None and asker.kind is ClientKind.POOL
        return 0.0 if is_scanner else min(self.waiting / _FETCHES_PER_S, _LONGEST_SPREAD_S)

    async def _report(self, request: web.Request) -> web.Response:
        asker = self._who_asks(request.headers.get("X-Postern-Source", ""))
        if asker is None:
            return web.Response(status=400, text="this address belongs to no client in the policy\n")
        try:
            report = load(SignatureReport, await request.read()).record
        except RecordError as error:
            return web.Response(status=400, text=f"{error}\n")
        self.reports.append(ClientReport(**asdict(report), asker=asker.name, asker_kind=asker.kind))
        return web.Response(status=204)

    async def _health(self, _request: web.Request) -> web.Response:
        problem = self._is_well()
        newest = max((ring.generation for ring in self._copy.rings.values()), default=0)
        if problem or not newest:
            return web.Response(status=503, text=f"{problem or 'no generation yet'}\n")
        return web.Response(text=f"ok generation {newest}\n")


def read_source(text: str) -> Address | None:
    """Return the address that nginx saw, or None if it is not an address."""
    try:
        return ip_address(text)
    except ValueError:
        return None
