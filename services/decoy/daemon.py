"""What all decoy programs share: settings and personas, evidence, the spool."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.api import ApiAccess
from common.config.errors import ConfigErrors
from common.journal.journal import Journal
from common.wire.decoy import DecoySettings
from services.base.daemon import Job, SettingsDaemon
from services.base.evidence import EvidencePost
from services.base.watched import WatchedFile
from services.decoy.admission import DecoyCaps
from services.decoy.events import Notes
from services.decoy.spool.recordings import Recordings
from services.decoy.spool.uploads import Uploads
from services.decoy.tenants import Tenants
from services.personas.load import load_personas


@dataclass(frozen=True, slots=True)
class DecoyOptions:
    """The command line of a decoy."""

    settings: Path
    personas: Path
    spool: Path
    api: ApiAccess | None  # None: no evidence is sent
    caps: DecoyCaps
    upload_bytes: int
    recording_bytes: int
    recording_bytes_per_session: int


class DecoyDaemon(SettingsDaemon[Tenants]):
    """Its settings combine the controller's file and the tenants' personas."""

    refusals = (*SettingsDaemon.refusals, ConfigErrors)

    def __init__(self, options: DecoyOptions, journal: Journal) -> None:
        """Raise `OSError` if there is no spool."""
        super().__init__(options.settings, journal)
        self.options = options
        self._personas: dict[str, WatchedFile] = {}
        self._post = EvidencePost(options.api, journal.write)
        recordings = Recordings(options.spool, options.recording_bytes, options.recording_bytes_per_session)
        self.notes = Notes(journal, recordings, Uploads(options.spool, options.upload_bytes), self._post)

    def read(self) -> Tenants:
        settings = self.read_record(DecoySettings)
        names = [tenant.name for tenant in settings.tenants]
        files = {name: WatchedFile(self.options.personas / f"{name}.yaml") for name in names}
        for file in files.values():
            file.mark_seen()
        self._personas = files
        return Tenants(settings, load_personas(self.options.personas, names))

    def has_changed(self) -> bool:
        return super().has_changed() or any(file.has_changed() for file in self._personas.values())

    def describe(self, settings: Tenants) -> Mapping[str, object]:
        return {"revision": settings.settings.revision, "tenants": len(settings.settings.tenants)}

    def chores(self) -> Mapping[str, Job]:
        return {**super().chores(), "evidence": self._post.run}

    async def look_around(self) -> None:
        self.notes.tell_losses()
