"""Journal, spool and settings, until services/decoy has them for all."""
import json
import os
import time
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any


class Journal:
    def __init__(self, path: Path | None, decoy: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640) if path else 1
        self._decoy = decoy

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        now = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        line = {"at": at, "event": event, "decoy": self._decoy, **facts}
        os.write(self._file, json.dumps(line).encode() + b"\n")


class Spool:
    def __init__(self, path: Path) -> None:
        self._path = path
        (path / "uploads").mkdir(parents=True, exist_ok=True)
        (path / "sessions").mkdir(parents=True, exist_ok=True)

    def record(self, session: str, at: float, from_attacker: bool, data: bytes) -> None:
        with (self._path / "sessions" / session).open("ab") as file:
            file.write(json.dumps([at, from_attacker, data.decode("latin-1")]).encode() + b"\n")

    def end(self, session: str) -> None:
        pass

    def keep(self, sha256: str, data: bytes) -> bool:
        (self._path / "uploads" / sha256).write_bytes(data)
        return True


def read_settings(path: Path) -> Any:
    said = json.loads(path.read_text())
    return [(each["name"], tuple(map(ip_network, each["prefixes"]))) for each in said["tenants"]]
