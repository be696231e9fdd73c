"""The directory that a Cowrie lives in: what it reads is ours, what it writes its own; keys outlast it."""

import contextlib
import json
import os
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from services.decoy.cowrie.spec import Spec, to_configuration, to_identity

_DAY_S = 86_400
_OWN = ("var", "var/lib", "var/lib/cowrie", "var/log", "var/log/cowrie", "var/run")
# What a run leaves behind, and nobody needs any more: uploads are taken out at once.
_PASSING = ("var/lib/cowrie/downloads", "var/lib/cowrie/tty")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs Cowrie."""

    uid: int
    gid: int


class Home:
    def __init__(self, path: Path, account: Account) -> None:
        self.path = path
        self._account = account
        self.downloads = path / "var/lib/cowrie/downloads"

    def prepare(self, spec: Spec, sensor: str) -> None:
        """Make or refresh it. Raise `OSError`."""
        etc = self.path / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        os.chown(etc, os.geteuid(), self._account.gid)
        etc.chmod(0o750)
        self.path.chmod(0o711)
        for part in _PASSING:
            shutil.rmtree(self.path / part, ignore_errors=True)
        for part in (*_OWN, *_PASSING):
            self._own_directory(self.path / part)
        configuration = to_configuration(spec, sensor, self._uptime_s())
        self._publish("etc/cowrie.cfg", configuration)
        self._publish("etc/persona.json", json.dumps(to_identity(spec)))

    def size_bytes(self) -> int:
        """Return how much Cowrie has written."""
        total = 0
        for directory, _, names in os.walk(self.path / "var"):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(directory, name)).st_size
        return total

    def _uptime_s(self) -> int:
        """Return how long the pretended machine has been up; it did not start anew because Cowrie did."""
        birth = self.path / "etc/birth"
        try:
            born = float(birth.read_text())
        except (OSError, ValueError):
            born = time.time() - random.uniform(_DAY_S, 90 * _DAY_S)
            birth.write_text(f"{born:.0f}")
        return max(1, int(time.time() - born))

    def _own_directory(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        os.chown(path, self._account.uid, self._account.gid, follow_symlinks=False)
        path.chmod(0o700)

    def _publish(self, name: str, text: str) -> None:
        """Write a file that Cowrie may read, and nobody else: it holds passwords."""
        path = self.path / name
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchown(descriptor, os.geteuid(), self._account.gid)
            file.write(text)
        draft.replace(path)
