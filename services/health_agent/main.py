"""`postern-agent`: the agent beside one member of a pool."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from common import entry
from common.api import access_in, add_api_options
from services.base import program
from services.health_agent.controller import Controller
from services.health_agent.watch import Agent


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
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    controller = Controller(access_in(parsed), parsed.member)
    asyncio.run(_run(controller, parsed.address))
    return 0


async def _run(controller: Controller, address: str) -> None:
    agent = asyncio.create_task(Agent(controller, address, lambda text: print(text, flush=True)).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, agent.cancel)
    await asyncio.wait([agent])
    if not agent.cancelled():
        agent.result()  # raises what it died of


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run("postern-agent", main)


if __name__ == "__main__":
    sys.exit(run())
