"""`postern`: one command, a subcommand for each thing an operator does.

Each name in `_COMMANDS` is a module of this package with `fill(parser)`. Only the module of the command in
use is imported, so that no command pays for the imports of another.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version

from common import entry
from common.commands import build_command_parser, execute
from common.exit_codes import table

_COMMANDS = {
    "doctor": "look for known problems on this machine, and print the remedy for each",
    "check": "report all errors in policies, personas and settings of sensors",
    "schema": "print the JSON Schema of a kind of file",
    "lab": "bring up an edge with real services in network namespaces (root)",
    "status": "show the edge at a glance",
    "drift": "show how switches differ from what they should hold",
    "persona": "learn personas from real servers, and compare decoys with them",
    "plan": "show what a policy would change, without changing anything",
    "apply": "apply a policy",
    "prove": "prove over all packets what the switches let through",
    "explain": "explain why a flow exists, or show what is known about a source",
    "flows": "print the flows of the edge in words",
    "pool": "show pools, drain members, and restart the members of a pool one by one",
    "decisions": "make, list and end decisions about suspicious sources",
    "decoy": "list and replay the sessions that decoys recorded",
    "allow": "manage sources that always pass",
    "token": "manage access to the API over TCP",
    "av": "publish anti-virus signatures, and see which clients use them",
    "completion": "print a completion script for a shell",
}
_EPILOG = f"""\
first steps:
  postern doctor                      check this machine
  postern check policies/demo.yaml    check a policy
  postern lab up demo                 bring up a whole edge in network namespaces
  postern status                      show which revision is confirmed on which switches
  postern prove                       prove what the switches let through
  postern plan new.yaml               show what would change; postern apply new.yaml applies it
  postern explain 0x9057...           show the line of the policy that needs this flow
  postern explain 198.51.100.66       show what is known about a source

Commands that print results accept --json: one JSON document on standard output; errors
are then {{"errors": [...]}} on standard error. Commands that query the controller accept
--api, --token-file and --ca-file.

exit codes:
{table()}
"""


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser with the arguments of one command, or of all commands if none is chosen."""
    description = "Operate a Postern edge: mail through scanners, suspicious traffic to decoys."
    parser = build_command_parser("postern", description, _EPILOG)
    parser.add_argument("--version", action="version", version=f"postern {version('postern')}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        command = subparsers.add_parser(name, help=text)
        if chosen in (None, name):
            fill: Callable[[argparse.ArgumentParser], None] = import_module(f"cli.{name}").fill
            fill(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of one `postern` command."""
    words = sys.argv[1:] if arguments is None else arguments
    chosen = next((word for word in words if not word.startswith("-")), "")
    return execute(build_parser(chosen), arguments)


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("postern", main)


if __name__ == "__main__":
    sys.exit(run())
