"""All sensors that the settings ask for, run together; new settings replace all of them."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Any

from common.api import ApiAccess
from services.base.evidence import EvidencePost
from services.base.journal import Journal
from services.base.settings import SettingsError
from services.sensors.crowdsec.bouncer import Bouncer
from services.sensors.feeds.feed import FeedRunner, origin_of
from services.sensors.feeds.kept import Keeper
from services.sensors.origin import replace_patiently
from services.sensors.settings import Settings, parse_settings
from services.sensors.suricata.sensor import SuricataSensor
from services.sensors.tenants import Tenants

Job = Callable[[], Coroutine[Any, Any, None]]
_RESTART_S = 10.0


class Event(StrEnum):
    SENSORS_STARTED = "SensorsStarted"
    SENSORS_STOPPED = "SensorsStopped"
    SETTINGS_REFUSED = "SettingsRefused"
    SENSOR_FAILED = "SensorFailed"
    FEED_FORGOTTEN = "FeedForgotten"


class Sensors:
    """Owns the tasks. One sensor that fails is said and tried again; it takes no other with it."""

    def __init__(self, file: Path, api: ApiAccess, state_dir: Path, journal: Journal) -> None:
        self._file, self._api, self._state_dir, self._journal = file, api, state_dir, journal
        self._keeper = Keeper(state_dir / "feeds")
        self._settings: Settings | None = None
        self._refreshable: list[FeedRunner | Bouncer] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Raise `SettingsError` or `OSError` if the settings cannot be used."""
        self._begin(parse_settings(self._file.read_text(encoding="utf-8"), str(self._file)))

    def reload(self) -> None:
        """Take up changed settings; the same ones: refresh all. Bad ones change nothing."""
        try:
            settings = parse_settings(self._file.read_text(encoding="utf-8"), str(self._file))
        except (OSError, UnicodeDecodeError, SettingsError) as error:
            self._journal.write(Event.SETTINGS_REFUSED, why=str(error))
            return
        if settings == self._settings:
            for each in self._refreshable:
                each.refresh()
            return
        self._cancel()
        self._begin(settings)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        self._cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._journal.write(Event.SENSORS_STOPPED)
        self._journal.flush()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks, self._refreshable = [], []

    def _begin(self, settings: Settings) -> None:
        self._settings = settings
        report = self._journal.write
        tenants = Tenants(settings, report)
        post = EvidencePost(self._api, report)
        feeds = [
            FeedRunner(feed, self._keeper, self._api, report, tenants.prefixes) for feed in settings.feeds
        ]
        self._refreshable = [*feeds]
        jobs: list[tuple[str, Job]] = [
            (f"feed {feed.name}", runner.run) for feed, runner in zip(settings.feeds, feeds, strict=True)
        ]
        if settings.crowdsec is not None:
            bouncer = Bouncer(settings.crowdsec, self._api, report, tenants.prefixes)
            self._refreshable.append(bouncer)
            jobs.append(("crowdsec", bouncer.run))
        for each in settings.suricata:
            sensor = SuricataSensor(each, self._state_dir, tenants, post.add, report)
            jobs.append((f"suricata {each.name}", sensor.run))
        self._journal.write(Event.SENSORS_STARTED, sensors=[name for name, _ in jobs])
        jobs.append(("evidence", post.run))
        jobs.append(("forgotten feeds", lambda: self._forget_others({feed.name for feed in settings.feeds})))
        self._tasks = [asyncio.create_task(self._keep_running(name, job)) for name, job in jobs]

    async def _keep_running(self, name: str, job: Job) -> None:
        """Say what a sensor died of, and start it again."""
        while True:
            try:
                await job()
            except Exception as error:
                self._journal.write(Event.SENSOR_FAILED, sensor=name, why=repr(error), again_in_s=_RESTART_S)
            else:
                return
            await asyncio.sleep(_RESTART_S)

    async def _forget_others(self, wanted: set[str]) -> None:
        """A feed that is no longer in the settings: its decisions go, and then its copy."""
        for name in self._keeper.names():
            if name not in wanted:
                await replace_patiently(self._api, origin_of(name), list, self._journal.write)
                with contextlib.suppress(OSError):
                    self._keeper.forget(name)
                self._journal.write(Event.FEED_FORGOTTEN, feed=name)
