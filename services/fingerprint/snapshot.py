"""A look: everything that was seen of a server from one place, as JSON that can be kept and compared."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_BYTES = 64 * 1024 * 1024
_FORMAT = 1


class SnapshotError(Exception):
    """The file is not a valid look; the text says where, with a remedy."""


@dataclass(frozen=True, slots=True)
class PortSeen:
    """`facts` are compared; `kernel` and `took_s` are only shown. Texts are stored by name."""

    state: str
    protocol: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    tls: dict[str, str] = field(default_factory=dict)
    nmap: dict[str, str] = field(default_factory=dict)
    kernel: str = ""
    took_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    address: str
    client: str  # the observer's address; servers repeat it
    at: str
    ports: dict[int, PortSeen]

    def to_json(self) -> str:
        return json.dumps({"postern-look": _FORMAT, **asdict(self)}, indent=1) + "\n"


def parse_snapshot(text: str, file: str) -> Snapshot:
    """Raise `SnapshotError`."""
    try:
        top = json.loads(text)
        if not isinstance(top, dict) or top.get("postern-look") != _FORMAT:
            raise SnapshotError(
                f"{file}: was not made by `postern-persona look`; remedy: make it with that command"
            )
        ports = {int(port): _port(seen, f"{file}: ports.{port}") for port, seen in top["ports"].items()}
        address, client, at = (_text(top[name], f"{file}: {name}") for name in ("address", "client", "at"))
        return Snapshot(address, client, at, ports)
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise SnapshotError(
            f"{file}: {error!r}; remedy: make it again with `postern-persona look`"
        ) from error


def _port(seen: Any, where: str) -> PortSeen:
    took_s = {name: float(number) for name, number in seen.get("took_s", {}).items()}
    texts = (_text(seen.get(name, ""), f"{where}.{name}") for name in ("state", "protocol", "kernel"))
    state, protocol, kernel = texts
    maps = {
        name: {key: _text(text, f"{where}.{name}.{key}") for key, text in seen.get(name, {}).items()}
        for name in ("facts", "tls", "nmap")
    }
    return PortSeen(state, protocol, kernel=kernel, took_s=took_s, **maps)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise SnapshotError(f"{where}: must be a string; remedy: make it again with `postern-persona look`")
    return value
