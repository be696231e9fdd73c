"""Runs all sensors in the settings together. New settings replace all of them."""

import asyncio
import contextlib
from pathlib import Path

from common.api import ApiAccess
from common.config.errors import ConfigErrors
from common.journal.journal import Journal
from services.base.daemon import Job, SettingsDaemon
from services.base.evidence import EvidencePost
from services.sensors.crowdsec.bouncer import Bouncer
from services.sensors.events import SensorsEvent
from services.sensors.feeds.feed import FeedRunner, origin_of
from services.sensors.feeds.kept import Keeper
from services.sensors.origin import replace_patiently
from services.sensors.settings import Settings, load_settings
from services.sensors.suricata.sensor import SuricataSensor
from services.sensors.tenants import TenantLookup


class Sensors(SettingsDaemon[Settings]):
    """Owns the tasks. A sensor that fails is reported and restarted; the others continue."""

    restart_s = 10.0
    refusals = (*SettingsDaemon.refusals, ConfigErrors)

    def __init__(self, file: Path, api: ApiAccess, state_dir: Path, journal: Journal) -> None:
        super().__init__(file, journal)
        self._api, self._state_dir = api, state_dir
        self._keeper = Keeper(state_dir / "feeds")
        self._refreshable: list[FeedRunner | Bouncer] = []
        self._running: set[asyncio.Task[None]] = set()

    def read(self) -> Settings:
        return load_settings(self.file.path)

    def has_changed(self) -> bool:
        """The operator's file is reloaded only on request, by SIGHUP."""
        return False

    async def start(self) -> None:
        """Raise `ConfigErrors` or `OSError` if the settings cannot be used."""
        settings = self.read()
        self.use(settings)
        self._begin(settings)

    async def take_up(self, settings: Settings) -> None:
        """Apply changed settings. If they are unchanged, refresh all feeds."""
        if settings == self.settings:
            for each in self._refreshable:
                each.refresh()
            return
        await self.end_tasks(self._running)
        self.use(settings)
        self._begin(settings)

    def note_stopped(self) -> None:
        self.journal.write(SensorsEvent.SENSORS_STOPPED)

    def _begin(self, settings: Settings) -> None:
        report = self.journal.write
        tenants = TenantLookup(settings, report)
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
        self.journal.write(SensorsEvent.SENSORS_STARTED, sensors=[name for name, _ in jobs])
        jobs.append(("evidence", post.run))
        jobs.append(("forgotten feeds", lambda: self._forget_others({feed.name for feed in settings.feeds})))
        self._running = {self.keep_running(name, job) for name, job in jobs}

    async def _forget_others(self, wanted: set[str]) -> None:
        """Remove feeds that are no longer in the settings: first their decisions, then their copies."""
        for name in self._keeper.names():
            if name not in wanted:
                await replace_patiently(self._api, origin_of(name), list, self.journal.write)
                with contextlib.suppress(OSError):
                    self._keeper.forget(name)
                self.journal.write(SensorsEvent.FEED_FORGOTTEN, feed=name)
