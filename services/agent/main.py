"""`postern-agent`: the agent beside one member of a pool."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from urllib.parse import quote

from services.agent.checks import Check, parse_check

_LARGEST_ANSWER_BYTES = 64 * 1024


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postern-agent",
        description="Look again and again whether a member's services answer, and tell the controller, which "
        "gives new sessions to members that are well. Run it on the member's own host.",
        epilog="example: postern-agent --api unix:/run/postern/api.sock --member scanners.scanner1 "
        "--check smtp:127.0.0.1:25 --check clamd:127.0.0.1:3310",
    )
    parser.add_argument("--api", required=True, metavar="unix:PATH", help="the controller's API")
    parser.add_argument("--member", required=True, metavar="POOL.NAME", help="the member to report on")
    parser.add_argument(
        "--check",
        action="append",
        required=True,
        metavar="KIND:HOST:PORT",
        help="smtp or clamd; may be repeated",
    )
    parser.add_argument(
        "--interval", type=float, default=0.3, metavar="S", help="between looks (default: 0.3)"
    )
    parser.add_argument("--timeout", type=float, default=1.0, metavar="S", help="for each look (default: 1)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    try:
        checks = [parse_check(text, parsed.timeout) for text in parsed.check]
    except ValueError as error:
        print(f"postern-agent: {error}", file=sys.stderr)
        return 2
    if not parsed.api.startswith("unix:"):
        print("postern-agent: the API is at a unix socket; remedy: --api unix:PATH", file=sys.stderr)
        return 2
    asyncio.run(_run(parsed, checks))
    return 0


async def _run(parsed: argparse.Namespace, checks: list[Check]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    last = None
    while not stop.is_set():
        problems = [problem for problem in await asyncio.gather(*(check() for check in checks)) if problem]
        trouble = await _report(parsed, problems)
        if (now := (tuple(problems), trouble)) != last:
            last = now
            print("; ".join([*problems, trouble] if trouble else problems) or "all is well", flush=True)
        try:
            async with asyncio.timeout(parsed.interval):
                await stop.wait()
        except TimeoutError:
            continue


async def _report(parsed: argparse.Namespace, problems: list[str]) -> str:
    """Tell the controller; return why that failed, if it did. The next report says the same or better."""
    body = json.dumps({"good": not problems, "detail": "; ".join(problems)}).encode()
    head = (
        f"POST /v1/members/{quote(parsed.member, safe='')}/health HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    try:
        async with asyncio.timeout(parsed.timeout):
            reader, writer = await asyncio.open_unix_connection(parsed.api.removeprefix("unix:"))
            try:
                writer.write(head.encode() + body)
                answer = await reader.read(_LARGEST_ANSWER_BYTES)
            finally:
                writer.close()
    except TimeoutError:
        return "the controller does not answer"
    except OSError as error:
        return f"the controller cannot be told: {error}"
    return "" if b" 200 " in answer[:20] else f"the controller refused: {answer[:200]!r}"


if __name__ == "__main__":
    sys.exit(main())
