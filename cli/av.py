"""`postern av`: anti-virus signatures for the whole fleet: published, taken back, and who uses them."""

import argparse
import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import quote

from cli.common import Subparsers, add_command
from controller.api.client import ApiClient
from lab.paths import Places
from lab.services.antivirus import store

_PROGRAM = "services.antivirus.builder.main"
_HANDED_OVER = {
    "status": "what each ring has",
    "publish": "build a generation, try it, and give it to ring canary",
    "promote": "give everybody what ring canary has",
    "rollback": "take the rings back",
    "freeze": "have nothing published",
    "unfreeze": "let signatures be published again",
    "history": "who did what, when and why",
    "add-signature": "add a signature of our own",
    "remove-signature": "take one out",
    "immunize": "have everybody find a file, or what a message carries",
    "mirror": "fetch ClamAV's own databases",
    "watch": "make signatures of what decoys catch",
}
_EPILOG = """\
  postern av immunize invoice.exe     everybody finds it from now on, once the canary agrees
  postern av fleet                    who uses which generation, and who lags behind
  postern av rollback                 everybody gets what he had before

Every command but fleet works on the builder's store ($POSTERN_AV_STORE, that of the lab that is up, or
/var/lib/postern/antivirus) and explains itself with --help.
"""
_SNIPPET = """\
# freshclam.conf of a client: signatures by freshclam alone. Our own are verified by the agent only.
DNSDatabaseInfo no
PrivateMirror {server}/database
{excluded}DatabaseCustomURL {server}/database/postern.hsb
DatabaseCustomURL {server}/database/postern.ndb
DatabaseCustomURL {server}/database/postern.yar
DatabaseCustomURL {server}/database/postern-generation.hsb
DatabaseCustomURL {server}/database/postern-generation.ndb
DatabaseCustomURL {server}/database/postern-generation.yar

# Beside it, the agent: told at once, verifies our signature, tries before it installs, reports its version.
#   postern-av-agent --server {server} --database /var/lib/clamav --state /var/lib/postern-av \\
#       --public-key /etc/postern-av.pub --clamd /run/clamav/clamd.ctl \\
#       --freshclam-config /etc/clamav/freshclam.conf
"""
_EXCLUDED = "".join(f"ExcludeDatabase {name}\n" for name in ("main", "daily", "bytecode"))


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "av",
        help="anti-virus signatures for the whole fleet",
        description="Publish anti-virus signatures, take them back, and see who uses them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in _HANDED_OVER.items():
        # Nothing begins with NUL, so options are words to this parser, and are handed over, too.
        each = commands.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        each.add_argument("arguments", nargs="*")
        each.set_defaults(run=_hand_over, command=name)
    fleet = add_command(commands, "fleet", "list who uses which generation, and who lags behind", _fleet)
    fleet.add_argument("--tenant", default="", help="only this tenant's clients")
    fleet.add_argument("--stale", action="store_true", help="only those that lag behind, or are silent")
    fleet.add_argument("--json", action="store_true")
    client = commands.add_parser(
        "client-config",
        help="print freshclam's configuration for a client",
        description="Print freshclam's configuration for a client, and how its agent is started.",
    )
    client.add_argument("server", metavar="ADDRESS", help="virtual address of the anti-virus servers")
    client.add_argument(
        "--without-official",
        action="store_true",
        help="for servers that mirror none of ClamAV's",
    )
    client.set_defaults(run=_client_config)


def _hand_over(arguments: argparse.Namespace) -> int:
    """To the builder; while a lab is up, and nothing else is named, to the lab's."""
    of_lab = store(Places.from_environment())
    environment = {"POSTERN_AV_STORE": str(of_lab)} if of_lab.is_dir() else {}
    command = [sys.executable, "-P", "-m", _PROGRAM, arguments.command, *arguments.arguments]
    try:
        return subprocess.run(command, check=False, env={**environment, **os.environ}).returncode
    except KeyboardInterrupt:
        return 130


def _client_config(arguments: argparse.Namespace) -> int:
    address = f"[{arguments.server}]" if ":" in arguments.server else arguments.server
    excluded = _EXCLUDED if arguments.without_official else ""
    print(_SNIPPET.format(server=f"http://{address}", excluded=excluded), end="")
    return 0


def _fleet(arguments: argparse.Namespace, api: ApiClient) -> int:
    stale = "&stale=true" if arguments.stale else ""
    told = api.get(f"/v1/antivirus/fleet?tenant={quote(arguments.tenant, safe='')}{stale}")
    if arguments.json:
        print(json.dumps(told))
        return 0
    for name, ring in told["rings"].items():
        print(f"ring {name:<7} generation {ring['generation']}  since {ring['changed']}")
    for server in told["servers"]:
        print(_server_line(server))
    for row in told["clients"]:
        print(_line(row))
    if not told["clients"]:
        print("nobody has reported yet" if not arguments.stale else "nobody is stale")
    return 0


def _server_line(row: dict[str, Any]) -> str:
    if row["heard_s"] is None:
        return f"server {row['name']:<10} not heard of since the controller started"
    return f"server {row['name']:<10} heard {row['heard_s']:.0f} s ago  {row['error'] or 'well'}"


def _line(row: dict[str, Any]) -> str:
    state = "STALE" if row["stale"] else "behind" if row["behind"] else "current"
    engine = str(row["engine"]).partition("/")[0] or "unknown engine"
    notes = "; ".join(filter(None, (row["behind"], row["error"], row["end_of_life"])))
    who = f"  {row['asker']:<12} {row['host']:<14} {row['kind']:<8} {state:<8}"
    return (
        f"{who} generation {row['generation']:<5} {engine:<16} {row['heard_s']:.0f} s ago  {notes}".rstrip()
    )
