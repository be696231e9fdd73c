"""`postern`: one command, a subcommand for each thing an operator does.

Each module of this package offers `add_parser(subparsers)`, whose parser sets
`run`, a function from parsed arguments to an exit code.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cli import (
    allow,
    apply,
    av,
    check,
    decisions,
    decoy,
    doctor,
    explain,
    flows,
    lab,
    persona,
    plan,
    pool,
    schema,
    status,
    token,
)
from common import entry

_EPILOG = """\
a first sitting:
  postern doctor                      is this machine ready?
  postern check policies/demo.yaml    is this policy good?
  postern lab up demo                 bring up a whole edge in network namespaces
  postern status                      which revision is confirmed on which switches
  postern plan new.yaml               what would change; postern apply new.yaml does it
  postern explain 0x9057...           which line of the policy asked for this flow
  postern explain 198.51.100.66       what is known of a source, and what follows

exit codes: 0 good, 1 something is wrong (said on standard error), 2 wrong usage,
            70 an error of Postern's own: standard error names the report to send
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postern",
        description="Operate a Postern edge: tenants' mail through scanners, suspicious traffic to decoys.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"postern {version('postern')}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (
        doctor,
        check,
        schema,
        lab,
        status,
        persona,
        plan,
        apply,
        explain,
        flows,
        pool,
        decisions,
        decoy,
        allow,
        token,
        av,
    ):
        module.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of one `postern` command."""
    parsed = build_parser().parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run("postern", main)


if __name__ == "__main__":
    sys.exit(run())
