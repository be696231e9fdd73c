"""What attackers hand over, once each: SPOOL/uploads/SHA256. Past the quota only the hash is known."""

import contextlib
import os
from pathlib import Path

from services.decoy.dialogues.base import Content
from services.decoy.spool.quota import Quota


class Uploads:
    """Raise `OSError` when made; later trouble is counted in `lost`, and never raised."""

    def __init__(self, spool: Path, limit_bytes: int) -> None:
        self._quota = Quota(spool / "uploads", limit_bytes)
        self.lost = 0

    def keep(self, content: Content) -> bool:
        """Return whether all of it is there afterwards."""
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
