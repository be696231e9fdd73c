"""`postern-agent`: the agent beside one member of a pool."""

import argparse
import sys
from collections.abc import Sequence

from common import entry
from services.base.daemon import run_daemon
from services.base.program import add_journal_arguments
from services.health_agent.controller import Controller
from services.health_agent.daemon import HealthAgent

_PROGRAM = "postern-agent"


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Look again and again whether a member's services answer, and tell the controller, which "
        "gives new sessions to members that are well. What to look at, and how often, stands in the policy: "
        "the controller says it, and an edit takes effect at once. Run it on the member's own host.",
        epilog="example: postern-agent --api unix:/run/postern/api.sock --member scanners.scanner1",
    )
    parser.add_argument("--api", required=True, metavar="unix:PATH", help="the controller's API")
    parser.add_argument("--member", required=True, metavar="POOL.NAME", help="the member to report on")
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        metavar="IP",
        help="where its services are looked at (default: 127.0.0.1)",
    )
    add_journal_arguments(parser, "agent")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    if not parsed.api.startswith("unix:"):
        print(f"{_PROGRAM}: the API is at a unix socket; remedy: --api unix:PATH", file=sys.stderr)
        return 2
    controller = Controller(parsed.api.removeprefix("unix:"), parsed.member)
    return run_daemon(_PROGRAM, parsed, lambda journal: HealthAgent(controller, parsed.address, journal))


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
