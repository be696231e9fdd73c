"""The demo's open door: someone opens the switch by hand; the edge closes it, names it and proves it closed.

The flow that is added would send every packet past the scanners. Meanwhile a session stays open.
"""

import socket
import time
from collections.abc import Iterator
from typing import Any

from controller.api.client import ApiClient
from lab import probes
from lab.demo import console, tools
from lab.demo.attempts import Outcome
from lab.lab import Lab
from lab.services.controllers import api_address

_SWITCH = "s1"
_OPENING = "table=0,priority=60000,actions=NORMAL"
_SERVER = "203.0.113.10"
_PATIENCE_S = 10.0
_WITHIN_S = 1.0
_STEP_S = 0.02


def story(lab: Lab) -> list[Outcome]:
    """Play the whole story and print each step; return what was expected, and whether it happened."""
    api = ApiClient(api_address(lab.places))
    with probes.connect(lab.places.pin("sender"), _SERVER, 25, _PATIENCE_S) as session:
        session.recv(512)
        found = list(_opened_and_closed(api))
        found.append(_still_answered(session))
    found.append(_proved(api))
    return found


def _opened_and_closed(api: ApiClient) -> Iterator[Outcome]:
    before = time.time()
    tools.run(["ovs-ofctl", "-O", "OpenFlow14", "add-flow", _SWITCH, _OPENING], must_succeed=True)
    begun = time.monotonic()
    console.fact("opens", f"ovs-ofctl add-flow {_SWITCH} '{_OPENING}'")
    while (is_open := _is_on_switch()) and time.monotonic() < begun + _PATIENCE_S:
        time.sleep(_STEP_S)
    seconds = time.monotonic() - begun
    what = "it is still open" if is_open else f"after {seconds:.2f} s"
    yield Outcome("a flow added by hand is removed within a second", what, seconds < _WITHIN_S)
    row = _named(api, before)
    if row:
        console.fact("named", f"{row['switch']}: {row['change']} {row['kind']}: {row['text']}")
    yield Outcome("postern drift names it", row["ending"] if row else "not named", bool(row))


def _is_on_switch() -> bool:
    asked = ["ovs-ofctl", "-O", "OpenFlow14", "dump-flows", _SWITCH, "table=0"]
    return "priority=60000" in tools.run(asked, must_succeed=True).stdout


def _named(api: ApiClient, since: float) -> dict[str, Any] | None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        for row in api.get("/v1/drift")["ended"]:
            if row["change"] == "foreign" and row["ended_at"] >= since:
                return dict(row)
        time.sleep(_STEP_S)
    return None


def _still_answered(session: socket.socket) -> Outcome:
    session.sendall(b"NOOP\r\n")
    reply = session.recv(512).decode("ascii", "replace").strip()
    session.sendall(b"QUIT\r\n")
    return Outcome("a session that was open all the time continues", reply[:26], reply.startswith("250"))


def _proved(api: ApiClient) -> Outcome:
    typed = [*tools.postern("prove"), "--api", api.address]
    done = tools.run(typed)
    console.fact("proves", "postern prove")
    console.fact("sees", (done.stdout + done.stderr).strip())
    what = "proved" if done.returncode == 0 else f"exit code {done.returncode}"
    return Outcome("the edge is proved closed again, over all packets", what, done.returncode == 0)
