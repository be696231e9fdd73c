"""The builder while it watches: signatures from what decoys capture, and ClamAV's own databases."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from common.journal.events import Event
from common.journal.journal import Journal
from common.wire.antivirus import AntivirusSettings, Immunity
from services.antivirus.builder.automatic_immunity import Watch
from services.antivirus.builder.events import BuilderEvent
from services.antivirus.builder.mirror import NotMirrored, publish_official
from services.antivirus.builder.publisher import NotPublished, Publisher
from services.antivirus.builder.store import StoreError
from services.base.daemon import Job, SettingsDaemon
from services.base.threads import in_thread

_LOOK_EVERY_S = 1.0
_MIRROR_EVERY_S = 3_600.0


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`mode` holds until the settings name another one; without `settings` it never changes."""

    captures: tuple[Path, ...]
    mode: Immunity
    settings: Path | None
    is_mirroring: bool


class BuilderDaemon(SettingsDaemon[Immunity]):
    """Its settings are the mode that the policy has. Building runs in threads, one after the other."""

    def __init__(self, publisher: Publisher, options: WatchOptions, journal: Journal) -> None:
        super().__init__(options.settings or Path(os.devnull), journal)
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._publisher = replace(publisher, tell=self._report_step)
        self._captures = Watch(self._publisher, options.captures, options.mode, self._report)
        self._building = asyncio.Lock()

    async def start(self) -> None:
        """Raise `StoreError` or `OSError`."""
        self._publisher.store.prepare()
        self.settings = self._options.mode
        self.journal.write(BuilderEvent.BUILDER_STARTED, mode=self.settings.value)

    def chores(self) -> Mapping[str, Job]:
        chores = {**super().chores(), "captures": self._watch_captures}
        return {**chores, "mirror": self._keep_mirror} if self._options.is_mirroring else chores

    def note_stopped(self) -> None:
        self.journal.write(BuilderEvent.BUILDER_STOPPED)

    def read(self) -> Immunity:
        return self.read_record(AntivirusSettings).immunity

    def has_changed(self) -> bool:
        return self._options.settings is not None and super().has_changed()

    async def take_up(self, settings: Immunity) -> None:
        before = self.settings
        self.use(settings)
        if settings is not before:
            self.journal.write(BuilderEvent.MODE_CHANGED, mode=settings.value, before=before.value)

    async def _watch_captures(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._captures.mode = self.settings
            async with self._building:
                await in_thread(self._captures.look)

    async def _keep_mirror(self) -> None:
        while True:
            try:
                async with self._building:
                    number = await in_thread(publish_official, self._publisher, None)
            except (NotMirrored, NotPublished, StoreError, OSError) as error:
                self.journal.write(BuilderEvent.OFFICIAL_NOT_MIRRORED, reason=str(error))
            else:
                self.journal.write(BuilderEvent.OFFICIAL_MIRRORED, generation=number)
            await asyncio.sleep(_MIRROR_EVERY_S)

    def _report_step(self, text: str) -> None:
        self._report(BuilderEvent.BUILD_STEP, detail=text)

    def _report(self, event: Event, /, **facts: object) -> None:
        """Have the loop write an event; called from threads."""
        self._loop.call_soon_threadsafe(partial(self.journal.note, event, facts))
