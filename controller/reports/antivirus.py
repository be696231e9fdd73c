"""The fleet as rows: what `postern av fleet` and the API show."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from controller.antivirus.engines import end_of_life
from controller.antivirus.fleet import Client, Fleet, Server


def fleet(known: Fleet, now: float, asker: str = "", only_stale: bool = False) -> dict[str, Any]:
    """Return rings, servers and clients, the worst first."""
    clients = [
        _row(known, client, now)
        for client in known.clients
        if asker in ("", client.asker) and (client.is_stale or not only_stale)
    ]
    clients.sort(key=lambda row: (not row["stale"], not row["error"], row["asker"], row["host"]))
    rings = {name: asdict(ring) for name, ring in known.published.items()}
    servers = [_server(name, told, now) for name, told in sorted(known.servers.items())]
    return {"rings": rings, "servers": servers, "clients": clients}


def _server(name: str, told: Server, now: float) -> dict[str, Any]:
    rings = {name: asdict(ring) for name, ring in told.rings.items()}
    heard_s = None if told.heard_at is None else round(now - told.heard_at, 1)
    return {"name": name, "rings": rings, "error": told.error, "heard_s": heard_s}


def _row(known: Fleet, client: Client, now: float) -> dict[str, Any]:
    return {
        **asdict(client.report),
        "server": client.server,
        "heard": client.heard_utc,
        "heard_s": round(now - client.heard_at, 1),
        "stale": client.is_stale,
        "behind": known.behind(client),
        "end_of_life": end_of_life(client.report.engine, datetime.now(UTC).date()),
    }
