"""The demo's unknown malware: it passes as clean, is marked, and seconds later every gateway refuses it."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from controller.api.client import ApiClient
from lab.demo import console, tools
from lab.demo.attempts import Outcome
from lab.lab import Lab
from lab.mail import Letter, send
from lab.messages import Message, carrying
from lab.services import antivirus
from lab.services.controllers import api_address

_SENDER = "someone@sender.example"
_SERVERS = {"alice@acme.example": "203.0.113.10", "bob@globex.example": "203.0.113.74"}
_CLIENTS = ("acme-lap", "globex-lap")  # both are 10.0.0.5
_BYTES = 4_000
_PATIENCE_S = 15.0
_STEP_S = 0.1


def story(lab: Lab) -> list[Outcome]:
    """Play the whole story and print each step; return what was expected, and whether it happened."""
    sample = b"PO" + os.urandom(_BYTES)  # no signature can match it
    with tempfile.TemporaryDirectory() as directory:
        file, message = Path(directory) / "sample.bin", Path(directory) / "message.eml"
        file.write_bytes(sample)
        first = carrying(sample, _SENDER, next(iter(_SERVERS)))
        message.write_bytes(first.data)
        found = list(_passes(lab, sample))
        begun = time.monotonic()
        found.append(_mark(lab, message))
        found += _refused(lab, sample, begun)
        found += _clients_find(lab, file, begun)
        found.append(_fleet(lab))
    return found


def _passes(lab: Lab, sample: bytes) -> Iterator[Outcome]:
    for recipient in _SERVERS:
        told = _send_until_judged(lab, sample, recipient)
        console.fact("mails", f"unknown malware to {recipient}: {told}")
        yield Outcome("malware that no signature matches passes as clean", told[:26], told.startswith("250"))


def _mark(lab: Lab, message: Path) -> Outcome:
    """An operator marks the message: its attachment becomes a signature, tested by the canary first."""
    command = antivirus.builder_command(lab.places, "immunize", str(message))
    done = tools.run(command)
    console.fact("marks", "postern av immunize message.eml")
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    console.fact("canary", next((line for line in lines if " passed: " in line), "nothing"))
    last = lines[-1] if lines else "nothing"
    return Outcome("an operator marks it, and the canary accepts the signature", last, done.returncode == 0)


def _refused(lab: Lab, sample: bytes, begun: float) -> Iterator[Outcome]:
    for recipient in _SERVERS:
        told = _send(lab, sample, recipient)
        while not told.startswith("5") and time.monotonic() - begun < _PATIENCE_S:
            time.sleep(_STEP_S)
            told = _send(lab, sample, recipient)
        seconds = time.monotonic() - begun
        console.fact("mails", f"the same file to {recipient}, {seconds:.1f} s after it was marked: {told}")
        what = f"{told[:3]} after {seconds:.1f} s"
        yield Outcome("the same file is refused for every tenant", what, told.startswith("550"))


def _clients_find(lab: Lab, file: Path, begun: float) -> Iterator[Outcome]:
    """With their own clamscan, in both intranets, from the same private address."""
    for host in _CLIENTS:
        database = antivirus.database(lab.places, host)
        command = ["clamscan", "--no-summary", f"--database={database}", str(file)]
        said = ""
        while "FOUND" not in said and time.monotonic() - begun < _PATIENCE_S:
            done = tools.run(lab.command_in(host, command))
            said = done.stdout.strip().rpartition("/")[2]
        console.fact(host, f"clamscan: {said}")
        yield Outcome(
            f"{host} detects it with its own clamscan", said.rpartition(" ")[2], said.endswith("FOUND")
        )


def _fleet(lab: Lab) -> Outcome:
    """Every client and scanner reports which generation it uses."""
    wanted = _published(lab)
    api = ApiClient(api_address(lab.places))
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        rows = api.get("/v1/antivirus/fleet")["clients"]
        late = [row["host"] for row in rows if row["generation"] != wanted]
        if (rows and not late) or time.monotonic() > deadline:
            break
        time.sleep(_STEP_S)
    for row in rows:
        console.fact("fleet", f"{row['asker']:<10} {row['host']:<12} generation {row['generation']}")
    what = f"not yet: {', '.join(late)}" if late else f"{len(rows)} of {len(rows)}"
    return Outcome("every client and scanner reports the new generation", what, bool(rows) and not late)


def _published(lab: Lab) -> int:
    command = antivirus.builder_command(lab.places, "status", "--json")
    done = tools.run(command, must_succeed=True)
    return int(json.loads(done.stdout)["rings"]["all"]["generation"])


def _send_until_judged(lab: Lab, sample: bytes, recipient: str) -> str:
    """Send again after a 4xx reply, as a sender does: on a busy machine a scanner may be late."""
    deadline = time.monotonic() + _PATIENCE_S
    while (told := _send(lab, sample, recipient)).startswith("4") and time.monotonic() < deadline:
        time.sleep(1)
    return told


def _send(lab: Lab, sample: bytes, recipient: str) -> str:
    message: Message = carrying(sample, _SENDER, recipient)
    letter = Letter(_SENDER, recipient, _SERVERS[recipient], message, False)
    return send(lab.places.pin("sender"), letter).reply
