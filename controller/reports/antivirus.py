"""The fleet as rows: what `postern av fleet` and the API show."""

from dataclasses import asdict
from typing import Any

from controller.antivirus.fleet import SERVER_SILENT_AFTER_S
from controller.runtime.commands.antivirus import ClientStatus, FleetStatus, ServerStatus


def fleet(known: FleetStatus) -> dict[str, Any]:
    """Return rings, servers and clients, those with problems first."""
    clients = [_row(each) for each in known.clients]
    clients.sort(key=lambda row: (not row["stale"], not row["error"], row["asker"], row["host"]))
    rings = {name: asdict(ring) for name, ring in known.rings.items()}
    return {"rings": rings, "servers": [_server(each) for each in known.servers], "clients": clients}


def _server(status: ServerStatus) -> dict[str, Any]:
    heard_s = None if status.heard_s is None else round(status.heard_s, 1)
    rings = {name: asdict(ring) for name, ring in status.server.rings.items()}
    return {
        "name": status.name,
        "rings": rings,
        "error": status.server.error,
        "heard_s": heard_s,
        "unheard": heard_s is None or heard_s > SERVER_SILENT_AFTER_S,
    }


def _row(status: ClientStatus) -> dict[str, Any]:
    client = status.client
    return {
        **asdict(client.report),
        "server": client.server,
        "heard": client.heard_utc,
        "heard_s": round(status.heard_s, 1),
        "stale": client.is_stale,
        "behind": status.behind,
        "end_of_life": status.end_of_life,
    }
