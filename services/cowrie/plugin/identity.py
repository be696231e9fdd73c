"""The persona of this Cowrie: `etc/persona.json` in its state directory, written by the supervisor."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Identity:
    hostname: str
    users: dict[str, list[str]]
    files: dict[str, str]
    system: str
    algorithms: dict[str, list[str]]
    ssh_banner: str
    telnet_banner: str
    telnet_prompt: str


def read_identity() -> Identity:
    said: dict[str, Any] = json.loads(Path("etc/persona.json").read_text(encoding="utf-8"))
    return Identity(**said)
