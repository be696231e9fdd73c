"""`postern av`: anti-virus signatures for the whole fleet: published, rolled back, and in use."""

import argparse
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from cli.common import add_api_command
from common.commands import Result, add_command, explain
from controller.api.client import ApiClient
from lab.paths import LabPaths
from lab.services.antivirus import store
from services.antivirus.builder.main import add_commands, add_store_options

_EPILOG = """\
examples:
  postern av immunize invoice.exe     every client detects it, once the canary has passed
  postern av fleet                    which client uses which generation, and which lag behind
  postern av rollback                 every client returns to the previous generation

All commands except fleet and client-config work on the builder's store. While a lab is up
and POSTERN_AV_STORE is not set, they use the lab's store.
"""
_SNIPPET = """\
# freshclam.conf of a client: signatures by freshclam alone. freshclam does not verify Postern's signatures.
DNSDatabaseInfo no
PrivateMirror {server}/database
{excluded}DatabaseCustomURL {server}/database/postern.hsb
DatabaseCustomURL {server}/database/postern.ndb
DatabaseCustomURL {server}/database/postern.yar
DatabaseCustomURL {server}/database/postern-generation.hsb
DatabaseCustomURL {server}/database/postern-generation.ndb
DatabaseCustomURL {server}/database/postern-generation.yar

# The agent, in addition, is notified at once, verifies them, tests them before it installs them, and reports.
#   postern-av-agent --server {server} --database /var/lib/clamav --state /var/lib/postern-av \\
#       --public-key /etc/postern-av.pub --clamd /run/clamav/clamd.ctl \\
#       --freshclam-config /etc/clamav/freshclam.conf
"""
_EXCLUDED = "".join(f"ExcludeDatabase {name}\n" for name in ("main", "daily", "bytecode"))


def fill(parser: argparse.ArgumentParser) -> None:
    explain(parser, "Publish anti-virus signatures, roll them back, and see which clients use them.", _EPILOG)
    add_store_options(parser)
    if "POSTERN_AV_STORE" not in os.environ and (of_lab := store(LabPaths.from_environment())).is_dir():
        parser.set_defaults(store=of_lab)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_commands(commands)
    fleet = add_api_command(
        commands,
        "fleet",
        "list which client uses which generation, and which lag behind",
        _fleet,
        "example:\n  postern av fleet --stale",
    )
    fleet.add_argument("--tenant", default="", help="only this tenant's clients")
    fleet.add_argument("--stale", action="store_true", help="only clients that lag behind, or are silent")
    client = add_command(
        commands,
        "client-config",
        "print freshclam's configuration for a client, and how its agent is started",
        _client_config,
        "example:\n  postern av client-config 192.0.2.120 > freshclam.conf",
    )
    client.add_argument("server", metavar="ADDRESS", help="virtual address of the anti-virus servers")
    client.add_argument(
        "--without-official",
        action="store_true",
        help="for servers that do not mirror ClamAV's own databases",
    )


def _client_config(arguments: argparse.Namespace) -> Result:
    address = f"[{arguments.server}]" if ":" in arguments.server else arguments.server
    excluded = _EXCLUDED if arguments.without_official else ""
    text = _SNIPPET.format(server=f"http://{address}", excluded=excluded)
    return Result({"freshclam": text}, text.splitlines())


def _fleet(arguments: argparse.Namespace, api: ApiClient) -> Result:
    stale = "&stale=true" if arguments.stale else ""
    fleet = api.get(f"/v1/antivirus/fleet?tenant={quote(arguments.tenant, safe='')}{stale}")
    return Result(fleet, list(_fleet_lines(fleet, arguments.stale)))


def _fleet_lines(fleet: dict[str, Any], only_stale: bool) -> Iterator[str]:
    for name, ring in fleet["rings"].items():
        yield f"ring {name:<7} generation {ring['generation']}  since {ring['changed']}"
    yield from map(_server_line, fleet["servers"])
    yield from map(_line, fleet["clients"])
    if not fleet["clients"]:
        yield "no client is stale" if only_stale else "no client has reported yet"


def _server_line(row: dict[str, Any]) -> str:
    if row["heard_s"] is None:
        return f"server {row['name']:<10} no report since the controller started"
    state = row["error"] or "healthy"
    if row.get("unheard"):
        state = f"UNHEARD for {row['heard_s']:.0f} s; before that: {state}"
    return f"server {row['name']:<10} last report {row['heard_s']:.0f} s ago  {state}"


def _line(row: dict[str, Any]) -> str:
    state = "STALE" if row["stale"] else "behind" if row["behind"] else "current"
    engine = str(row["engine"]).partition("/")[0] or "unknown engine"
    notes = "; ".join(filter(None, (row["behind"], row["error"], row["end_of_life"])))
    who = f"  {row['asker']:<12} {row['host']:<14} {row['kind']:<8} {state:<8}"
    return (
        f"{who} generation {row['generation']:<5} {engine:<16} {row['heard_s']:.0f} s ago  {notes}".rstrip()
    )
