"""Handles the commands about anti-virus servers and their clients."""

from datetime import UTC, datetime

from controller.antivirus.engines import end_of_life
from controller.antivirus.fleet import Fleet
from controller.runtime.commands.antivirus import (
    ClientStatus,
    FleetStatus,
    ReadFleet,
    ReportAntivirus,
    ServerStatus,
)
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers


def report_antivirus(core: RuntimeCore, command: ReportAntivirus, context: Context) -> int:
    core.antivirus.on_server(context.now, command.server, command.rings, command.error)
    return core.antivirus.on_reports(context.now, context.utc, command.server, command.reports)


def read_fleet(core: RuntimeCore, command: ReadFleet, context: Context) -> FleetStatus:
    return fleet_status(core.antivirus.fleet, command, context.now, context.utc)


def fleet_status(fleet: Fleet, command: ReadFleet, now: float, utc: float) -> FleetStatus:
    today = datetime.fromtimestamp(utc, UTC).date()
    servers = [
        ServerStatus(name, server, None if server.heard_at is None else now - server.heard_at)
        for name, server in sorted(fleet.servers.items())
    ]
    clients = [
        ClientStatus(
            client,
            now - client.heard_at,
            fleet.behind(client),
            end_of_life(client.report.engine, today),
        )
        for client in fleet.clients
        if command.asker in ("", client.asker) and (client.is_stale or not command.only_stale)
    ]
    return FleetStatus(dict(fleet.published), tuple(servers), tuple(clients))


HANDLERS: Handlers = {
    ReportAntivirus: report_antivirus,
    ReadFleet: read_fleet,
}
