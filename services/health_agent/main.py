"""`postern-agent`: the agent beside one member of a pool."""

import argparse
import sys
from collections.abc import Sequence

from common import entry
from common.api import access_in, add_api_options
from services.base import program
from services.base.daemon import run_daemon
from services.health_agent.controller import Controller
from services.health_agent.daemon import HealthAgent

_PROGRAM = "postern-agent"


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        "postern-agent",
        "Check the services of one pool member and report to the controller, which gives new sessions to "
        "healthy members only. Run it on the member's own host. What is checked, and how often, is in the "
        "policy; the agent gets it from the controller, and an edit takes effect at once.",
        "example:\n  postern-agent --api unix:/run/postern/api.sock --member scanners.scanner1\n",
    )
    add_api_options(parser)
    parser.add_argument("--member", required=True, metavar="POOL.NAME", help="the pool member to check")
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        metavar="IP",
        help="address of its services (default: 127.0.0.1)",
    )
    program.add_journal_arguments(parser, "agent")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    controller = Controller(access_in(parsed), parsed.member)
    return run_daemon(_PROGRAM, parsed, lambda journal: HealthAgent(controller, parsed.address, journal))


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
