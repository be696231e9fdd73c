"""Runs the checks of an agent periodically, reports each result, and applies the controller's settings.

Rounds overlap: the next round starts on time even while the last one still waits for
an answer. So a program that hangs is detected one time-out plus one interval later at
most. A round that a later one has overtaken is not reported.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from common.journal.events import Event
from common.journal.journal import Report
from common.wire.codec import Loaded
from common.wire.health import AgentSettings, Check, CheckKind, HealthReport, ScannerCheck
from services.base.controller import NotHeard
from services.base.events import DaemonEvent
from services.health_agent import scanner
from services.health_agent.checks import HeldUp, carry_out
from services.health_agent.controller import Controller
from services.health_agent.events import HealthAgentEvent
from services.health_agent.scanner import Found

_RETRY_S = 1.0  # until the controller has sent settings, and after a scanner has failed
_AGE_INTERVAL_S = 10.0  # unless the canary sets another interval


def report_of(checks: Sequence[Check], problems: Sequence[str], scanner: Found) -> HealthReport:
    """Return the report on one round. `problems`: of each check, in order; empty if it succeeded."""
    kinds = [*(check.kind for check in checks), CheckKind.CLAMD]
    failed = [
        (kind, problem) for kind, problem in zip(kinds, [*problems, scanner.problem], strict=True) if problem
    ]
    return HealthReport(
        good=not failed,
        detail="; ".join(problem for _, problem in failed),
        stale=scanner.stale,
        failed=tuple(dict.fromkeys(kind for kind, _ in failed)),
    )


class MemberWatch:
    """Watches one member until it is cancelled."""

    def __init__(self, controller: Controller, host: str, report: Report) -> None:
        self._controller, self._host, self._report = controller, host, report
        self._settings: AgentSettings
        self._is_changed = asyncio.Event()
        self._unsent: HealthReport | None = None
        self._is_due = asyncio.Event()
        self._scanner = Found()
        self._last_round = self._reported_round = 0
        self._last: tuple[Event, Mapping[str, object]] | None = None
        self._unknown_keys: tuple[str, ...] = ()

    async def run(self) -> None:
        self._settings = await self._first_settings()
        while True:
            self._is_changed.clear()
            async with asyncio.TaskGroup() as tasks:
                watching = [
                    tasks.create_task(self._watch(self._settings)),
                    tasks.create_task(self._send()),
                ]
                await self._is_changed.wait()
                for task in watching:
                    task.cancel()

    async def _first_settings(self) -> AgentSettings:
        while True:
            try:
                return self._understood(await self._controller.settings())
            except NotHeard as error:
                self._say(DaemonEvent.CONTROLLER_AWAY, reason=str(error))
                await asyncio.sleep(_RETRY_S)

    async def _watch(self, settings: AgentSettings) -> None:
        """Start a round each interval. A scanner counts as healthy only after its first good result."""
        async with asyncio.TaskGroup() as rounds:
            if settings.scanner is None:
                self._scanner = Found()
            else:
                self._scanner = await self._look_at_scanner(settings.scanner)
                rounds.create_task(self._watch_scanner(settings.scanner))
            loop = asyncio.get_running_loop()
            due = loop.time()
            while True:
                self._last_round += 1
                rounds.create_task(self._round(settings, self._last_round))
                due = max(due + settings.interval_s, loop.time())
                await asyncio.sleep(due - loop.time())

    async def _round(self, settings: AgentSettings, number: int) -> None:
        looks = (carry_out(check, self._host, settings.timeout_s) for check in settings.checks)
        try:
            problems = await asyncio.gather(*looks)
        except HeldUp:
            return
        if number < self._reported_round:
            return
        self._reported_round = number
        self._unsent = report_of(settings.checks, problems, self._scanner)
        self._is_due.set()

    async def _watch_scanner(self, check: ScannerCheck) -> None:
        while True:
            is_well = not self._scanner.problem
            await asyncio.sleep((check.canary_interval_s or _AGE_INTERVAL_S) if is_well else _RETRY_S)
            self._scanner = await self._look_at_scanner(check)

    async def _look_at_scanner(self, check: ScannerCheck) -> Found:
        """A failed check is repeated once: the first one may have come at a bad moment."""
        found = await self._look_once(check)
        return await self._look_once(check) if found.problem else found

    async def _look_once(self, check: ScannerCheck) -> Found:
        while True:
            with suppress(HeldUp):
                return await scanner.look(check, self._host, time.time())

    async def _send(self) -> None:
        """Send the newest report, one at a time. Older reports are obsolete."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            report, self._unsent = self._unsent, None
            if report is None:
                continue
            try:
                settings = self._understood(await self._controller.report(report))
            except NotHeard as error:
                self._say(DaemonEvent.CONTROLLER_AWAY, reason=str(error))
                continue
            self._say_how_it_is(report)
            if settings != self._settings:
                self._settings = settings
                self._say(HealthAgentEvent.CHECKS_CHANGED)
                self._is_changed.set()

    def _understood(self, loaded: Loaded[AgentSettings]) -> AgentSettings:
        """Return the settings. Report once in the journal which keys of a newer controller are unknown."""
        if loaded.unknown_keys != self._unknown_keys:
            self._unknown_keys = loaded.unknown_keys
            if keys := list(loaded.unknown_keys):
                self._report(HealthAgentEvent.KEYS_UNKNOWN, unknown_keys=keys)
        return loaded.record

    def _say_how_it_is(self, report: HealthReport) -> None:
        if not report.good:
            self._say(HealthAgentEvent.CHECKS_FAILED, reason=report.detail)
        elif report.stale:
            self._say(HealthAgentEvent.SIGNATURES_STALE, reason=report.stale)
        else:
            self._say(HealthAgentEvent.CHECKS_PASSED)

    def _say(self, event: Event, **facts: object) -> None:
        """Write an event to the journal unless it repeats the last one."""
        if (event, facts) != self._last:
            self._last = event, facts
            self._report(event, **facts)
