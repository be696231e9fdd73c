"""`postern-cowrie`: SSH and Telnet of the decoys as a program of its own."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from services.decoy.cowrie.process import CowrieMissing

def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postern-cowrie",
        description="Answer SSH and Telnet at tenants' addresses as their personas say, by Cowrie.",
    )
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--personas", type=Path, required=True)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--name", default="decoy")
    parser.add_argument("--controller", default="")
    parser.add_argument("--spool", type=Path, required=True)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        asyncio.run(_run(parsed))
    except (CowrieMissing, OSError) as error:
        print(f"postern-cowrie: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(parsed: argparse.Namespace) -> None:
    from services.decoy.cowrie.interim import Journal, Spool, read_settings
    from services.decoy.cowrie.cowries import Cowries, PerSource
    from services.decoy.cowrie.directory import Directory
    from services.decoy.cowrie.evidence import EvidencePost
    from services.decoy.cowrie.front import Front
    from services.decoy.cowrie.process import find_installed
    from services.decoy.cowrie.reporting import Reporter
    from services.decoy.persona.load import load_personas
    journal = Journal(parsed.log, parsed.name)
    post = EvidencePost(parsed.controller)
    reporter = Reporter(journal, post, Spool(parsed.spool), lambda c: None)
    cowries = Cowries(parsed.spool / "cowrie", find_installed(), lambda event, **facts: journal.note(event, facts), reporter.carry)
    front = Front(cowries.take)
    tenants = read_settings(parsed.settings)
    personas = load_personas(parsed.personas, [n for n, _ in tenants])
    directory = Directory((prefixes, personas[name]) for name, prefixes in tenants)
    cowries.follow(directory)
    for place, why in front.listen_at(directory.listening()).items():
        journal.note("CannotListen", {"place": str(place), "why": why})
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    await stop.wait()
    front.close()
    await cowries.stop()

if __name__ == "__main__":
    sys.exit(main())
