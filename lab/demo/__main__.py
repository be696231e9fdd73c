"""`python -m lab.demo`: brings the lab up, sends real mail, and says what happened to each message.

The exit code is 0 if every step is ok, 1 if a step failed.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from common import entry
from common.exit_codes import ExitCode
from common.terminal import Progress, paint
from controller.api.client import ApiError
from lab import ipv6
from lab.demo import attempts, console, immunity, intruder, opened
from lab.demo.attempts import Outcome
from lab.demo.cases import CASES, Case
from lab.demo.verdicts import complaints
from lab.errors import LabError, next_step
from lab.lab import Lab
from lab.mail import Letter, Told, send
from lab.messages import build
from lab.paths import REPOSITORY
from lab.trace_logs import Found, Reader, final_events

_TOPOLOGY = "demo"
_POLICY = REPOSITORY / "policies" / "demo.yaml"

_NEXT = """\
The lab is still up. Try:
  postern status                                  which revision is confirmed on which switch
  postern prove                                   what is proved about the switch, over all packets
  ovs-ofctl add-flow s1 priority=60000,actions=NORMAL; postern drift     open the switch, and see
  ovs-ofctl -O OpenFlow14 --names dump-flows s1   the flows, with the names of their tables
  postern explain tenants.acme.mail               the flows that a rule of the policy needs
  postern explain 0x9057...                       the rule that needs a flow (its cookie)
  postern av fleet                                which anti-virus signatures each client uses
  postern explain 198.51.100.66                   what is known about the intruder
  postern lab exec sender -- swaks --server 203.0.113.10 --from me@sender.example --to alice@acme.example
  postern lab exec acme-mx -- tcpdump -ni acme-mx-eth0 port 25
  postern lab stop scanner1.clamd                 how does mail continue with one scanner fewer?
  postern lab logs acme-mx.postfix                the log of acme's mail server
  postern lab down                                takes everything down
Before `postern status` and `explain`: export POSTERN_API=unix:{api}"""


_CHAPTERS = (
    ("Attempts to bypass the scanners", attempts.story),
    ("An intruder", intruder.story),
    ("Malware that no signature matches yet", immunity.story),
    ("Someone opens the switch by hand", opened.story),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the lab up, and print what to try next")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    lab = Lab(is_attended=True)
    try:
        return _run(lab, arguments.keep)
    except LabError as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        print(next_step(lab.places.kept_logs), file=sys.stderr)
        return ExitCode.FAILED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(lab: Lab, is_kept: bool) -> int:
    begun = time.monotonic()
    console.heading(
        "Postern: real mail through one edge switch, two proxies and two scanners, and an intruder"
    )
    console.say("The topology is mininet_topos/demo.py, the policy is policies/demo.yaml.")
    with Progress() as progress:
        progress.show("bringing the lab up")
        lab.up(_TOPOLOGY, _POLICY, lambda text: progress.show(" ".join(text.split())))
    console.say("The lab is up: every program is healthy.")
    is_finished = is_good = False
    try:
        is_good = _show(lab)
        is_finished = True
    finally:
        if is_finished and is_kept:
            lab.leave_up()
        else:
            lab.down(keeps_logs=not is_good)
    console.say()
    verdict = "Every step is ok" if is_good else "Some steps failed: see FAILED above"
    console.say(paint(f"{verdict} ({time.monotonic() - begun:.0f} s).", "good" if is_good else "bad"))
    if is_kept:
        console.say(_NEXT.format(api=lab.places.api))
    elif is_good:
        console.say("The lab is down, and nothing is left behind.")
    else:
        console.say(f"The lab is down, and all its logs are in {lab.places.kept_logs}.")
    return ExitCode.OK if is_good else ExitCode.FAILED


def _show(lab: Lab) -> bool:
    """Send everything, print everything, and return whether every step is ok."""
    reader = Reader(lab.scene())
    console.heading("Mail")
    rows: list[tuple[str, ...]] = [("message", "to", "reply", "delivered", "gateway", "scanner", "result")]
    if not ipv6.is_there():
        console.say("This machine has no IPv6, so the messages over IPv6 are left out. See `postern doctor`.")
    for number, case in enumerate(CASES, start=1):
        if not ipv6.usable([case.server]):
            continue
        with _naming_what_broke(lab):
            rows.append(_show_case(lab, reader, number, case))
    outcomes: list[Outcome] = []
    for title, story in _CHAPTERS:
        console.heading(title)
        with _naming_what_broke(lab):
            outcomes += (chapter := story(lab))
        for outcome in chapter:
            _show_attempt(outcome)
    lab.refuse_broken()
    console.heading("Summary")
    console.table(rows)
    return all(row[-1] == console.OK for row in rows[1:]) and all(outcome.is_good for outcome in outcomes)


@contextmanager
def _naming_what_broke(lab: Lab) -> Iterator[None]:
    """Turn a failed connection into an error that names the program that died, if one did."""
    try:
        yield
    except (OSError, subprocess.SubprocessError, ApiError) as error:
        lab.refuse_broken()
        raise LabError(f"{error}, although every program of the lab is running") from error


def _show_case(lab: Lab, reader: Reader, number: int, case: Case) -> tuple[str, ...]:
    message = build(case.content, "someone@sender.example", case.recipient)
    letter = Letter("someone@sender.example", case.recipient, case.server, message, case.tls)
    since = reader.bookmark()
    told = send(lab.places.pin(case.host), letter)
    found = reader.find(since, case.mail_host, lambda seen: _is_settled(case, seen))
    wrong = complaints(case, told, found)
    console.say()
    console.say(f"{number:>3}  {paint(f'{case.tenant}: {case.title}', 'strong')}")
    console.fact("sent", f"by {case.host} ({case.client}) to {case.recipient} at [{case.server}]:25")
    console.fact("reply", told.reply or told.transcript)
    console.fact("path", _path(case, found))
    console.fact(case.mail_host, _what_server_says(found))
    console.judgement(wrong)
    if wrong:
        lab.refuse_broken()
    return _row(case, told, found, not wrong)


def _is_settled(case: Case, found: Found) -> bool:
    is_known = bool(found.gateway) and bool(found.server_saw)
    is_scanned = bool(found.scans) == case.expected.is_scanned
    is_over = any(event.get("event") == "SessionClosed" for _, event in found.events)
    return is_known and is_scanned and is_over and found.is_delivered == case.expected.is_delivered


def _path(case: Case, found: Found) -> str:
    stops = ["s1", found.gateway or "no gateway"]
    stops += [f"{name} ({_opinion(line)})" for name, line in found.scans] or ["not scanned"]
    last = final_events(found)
    if found.is_delivered:
        stops.append(case.mail_host)
    path = " -> ".join(stops)
    verdict = f"; {last[-1]['event']}" if last else ""
    return f"{path}{verdict}; trace {found.trace or 'none'}"


def _opinion(line: str) -> str:
    """Return clamd's answer from a line of its log: `instream(192.0.2.11@40000): OK`."""
    return line.rpartition("): ")[2] or line


def _what_server_says(found: Found) -> str:
    lines = [line.partition("postfix/")[2] for line in found.server_lines]
    kept = [line for line in lines if any(word in line for word in ("client=", "reject:", "status=sent"))]
    return "\n".join(kept) or _without_message(found)


def _without_message(found: Found) -> str:
    if not found.server_saw:
        return "saw no connection"
    return f"saw a connection from {found.server_saw}, and no message"


def _row(case: Case, told: Told, found: Found, is_good: bool) -> tuple[str, ...]:
    scanner = " ".join(name for name, _ in found.scans) or "-"
    delivered = "yes" if found.is_delivered else "no"
    code = told.reply[:9].strip()
    return (
        case.title,
        case.tenant,
        code,
        delivered,
        found.gateway,
        scanner,
        console.OK if is_good else console.FAILED,
    )


def _show_attempt(outcome: Outcome) -> None:
    mark = console.mark(outcome.is_good)
    console.say(f"     {outcome.title:<66} {outcome.what_happened:<26} {mark}")


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("lab.demo", main)


if __name__ == "__main__":
    sys.exit(run())
