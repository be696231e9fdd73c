"""Uploads of attackers, each stored once: SPOOL/uploads/SHA256. Over the quota, only the hash is known."""

import contextlib
import os
from pathlib import Path

from services.decoy.dialogues.base import Content
from services.decoy.spool.quota import Quota


class Uploads:
    """The constructor may raise `OSError`. Later errors are counted in `lost` and not raised."""

    def __init__(self, spool: Path, limit_bytes: int) -> None:
        self._quota = Quota(spool / "uploads", limit_bytes)
        self.lost = 0

    def keep(self, content: Content) -> bool:
        """Return whether the upload is stored completely."""
        if self._quota.has(content.sha256):
            return True
        if not content.is_whole or not self._quota.has_room(content.sha256, content.size):
            return False
        path = self._quota.directory / content.sha256
        draft = path.with_name(f".{content.sha256}.{os.getpid()}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o440)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content.data)
            draft.replace(path)
        except OSError:
            self.lost += 1
            with contextlib.suppress(OSError):
                draft.unlink()
            return False
        self._quota.add(content.sha256, content.size)
        return True
