"""Keeps a copy of a pool's settings file on this host, replaced as a whole or not at all.

Settings of a format that programs of this release refuse are not brought: a program that starts again would
have none then, not even the last good ones.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.journal.journal import Report
from common.wire.codec import RecordError
from common.wire.hosts import check_settings_format
from services.base.events import DaemonEvent
from services.base.files import write_whole
from services.uplink.access import Access, ApiAnswer, Away
from services.uplink.events import UplinkEvent

_LOOK_EVERY_S = 1.0


class NotBrought(Exception):
    """The file was not replaced; the text says why."""


class Following:
    def __init__(self, access: Access, pool: str, file: Path) -> None:
        self._access, self._file = access, file
        self._path = f"/v1/settings/{quote(pool, safe='')}"
        self._etag = ""

    async def look(self) -> int | None:
        """Fetch the settings; write them if they changed, and return their revision.

        Raise `Away` or `NotBrought`.
        """
        known = {"If-None-Match": self._etag} if self._etag and self._file.exists() else {}
        answer = await self._access.ask("GET", self._path, headers=known)
        if answer.status == 304:
            return None
        settings = _settings_in(answer)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if not (self._file.exists() and self._file.read_bytes() == answer.body):
                write_whole(self._file, answer.body, 0o600 if "secret" in settings else 0o644)
        except OSError as error:
            raise NotBrought(f"{self._file}: {error}; remedy: choose a path that can be written") from error
        self._etag = answer.etag
        return int(settings["revision"])


def _settings_in(answer: ApiAnswer) -> dict[str, Any]:
    try:
        settings = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise NotBrought(f"the controller did not send JSON: {error}") from error
    if answer.status != 200:
        raise NotBrought(f"the controller answered with status {answer.status}: {str(settings)[:300]}")
    if not isinstance(settings, dict) or not isinstance(settings.get("revision"), int):
        raise NotBrought("the controller did not send settings")
    try:
        check_settings_format(settings)
    except RecordError as error:
        raise NotBrought(f"{error}; remedy: {error.remedy or 'upgrade the controller'}") from error
    return settings


async def follow(following: Following, report: Report, tell_way: Callable[[str], None]) -> None:
    """Fetch once a second, forever. Report each new revision, and each failure once."""
    problem = ""
    while True:
        try:
            revision = await following.look()
            problem = ""
            tell_way("")
            if revision is not None:
                report(UplinkEvent.SETTINGS_BROUGHT, revision=revision)
        except Away as error:
            tell_way(str(error))
        except NotBrought as error:
            tell_way("")
            if str(error) != problem:
                problem = str(error)
                report(DaemonEvent.SETTINGS_REFUSED, reason=problem)
        await asyncio.sleep(_LOOK_EVERY_S)
