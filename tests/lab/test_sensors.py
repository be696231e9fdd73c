"""Other systems' opinions steer real packets, through the edge's own controller."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab import probes
from lab.lab import Lab
from lab.services.controllers import api_address
from tests.lab.conftest import POLICY, UNSUSPICIOUS, await_in_step
from tests.lab.test_sessions_held import apply, sessions
from tests.sensors.conftest import Program, home  # noqa: F401 - a fixture
from tests.sensors.crowdsec import RealCrowdSec

pytestmark = pytest.mark.lab

_INTRUDER, _SERVER = "198.51.100.66", "203.0.113.10"


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    """The controller, which decides in earnest: the other tests' labs only simulate."""
    api, text = ApiClient(api_address(lab.places)), POLICY.read_text(encoding="utf-8")
    apply(api, text.removesuffix(UNSUSPICIOUS))
    api.delete("/v1/decisions?origin=postern")  # tests before this one have simulated some
    yield api
    for origin in ("crowdsec", "feed:bad", "postern"):
        api.delete(f"/v1/decisions?origin={origin}")
    apply(api, text)


@pytest.fixture
def sensors(lab: Lab, home: Path) -> Iterator[Callable[[str], Program]]:  # noqa: F811
    """Start the sensors beside the real controller."""
    (home / "api.sock").symlink_to(lab.places.api)
    started: list[Program] = []

    def start(settings: str) -> Program:
        started.append(Program(home, settings))
        started[-1].begin()
        return started[-1]

    yield start
    for each in started:
        assert each.end() == 0


@pytest.fixture
def crowdsec(home: Path) -> Iterator[RealCrowdSec]:  # noqa: F811
    real = RealCrowdSec(home / "crowdsec")
    real.register()
    real.begin()
    yield real
    real.end()


def decided(api: ApiClient, origin: str) -> list[dict[str, Any]]:
    known = api.get(f"/v1/sources/{_INTRUDER}")
    return [each for each in known["decisions"] if each["origin"] == origin]


def wait(is_so: Callable[[], bool], what: str, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def takes_mail(lab: Lab) -> bool:
    """Say whether the intruder is greeted by the real server's gateway: it takes a sender and a recipient."""
    with sessions(lab, 1, "attacker") as (session,):
        session.send("DATA")
        try:
            session.hear("354")
            session.send("Subject: knock\r\n\r\nbody\r\n.")
            session.hear("250")
        except AssertionError:
            return False
    return True


def cowries_log() -> Iterator[str]:
    """Log-ins by Telnet as Cowrie writes them, often enough for CrowdSec's own scenario."""
    for number in range(8):
        yield json.dumps(
            {
                "eventid": "cowrie.session.connect",
                "src_ip": _INTRUDER,
                "src_port": 40_000 + number,
                "dst_ip": _SERVER,
                "dst_port": 23,
                "session": f"98ab{number}",
                "protocol": "telnet",
                "message": f"New connection: {_INTRUDER}:{40_000 + number} ({_SERVER}:23) "
                f"[session: 98ab{number}]",
                "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            }
        )


def test_what_a_real_crowdsec_decides_steers_packets_until_it_takes_it_back(
    lab: Lab, api: ApiClient, crowdsec: RealCrowdSec, sensors: Callable[[str], Program]
) -> None:
    settings = f"url: {crowdsec.url}\n  key_file: {crowdsec.key_file}\n  poll: 200ms"
    sensors(f"postern-sensors: 1\ncrowdsec:\n  {settings}\n").wait("CrowdSecSynced")
    assert takes_mail(lab)
    with crowdsec.cowrie_log.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in cowries_log())
    wait(lambda: bool(decided(api, "crowdsec")), "CrowdSec's decision never came")
    await_in_step(api)
    assert not takes_mail(lab)
    crowdsec.cscli("decisions", "delete", "--all")
    wait(lambda: not decided(api, "crowdsec"), "what CrowdSec took back still holds")
    await_in_step(api)
    assert takes_mail(lab)


def test_who_is_in_a_feed_is_dropped_as_long_as_he_is_in_it(
    lab: Lab, api: ApiClient, sensors: Callable[[str], Program], tmp_path: Path
) -> None:
    feed = tmp_path / "bad.txt"
    feed.write_text(f"# bad people\n{_INTRUDER}\n203.0.113.10\n9.9.9.9\n9.9.9.8\n9.9.9.7\n", encoding="utf-8")
    running = sensors(f"postern-sensors: 1\nfeeds:\n  bad: {{source: {feed}, action: drop}}\n")
    wait(lambda: bool(decided(api, "feed:bad")), "the feed never came", 20)
    await_in_step(api)
    with pytest.raises(TimeoutError):
        probes.connect(lab.places.pin("attacker"), _SERVER, 25, 0.7)
    feed.write_text("9.9.9.9\n9.9.9.8\n9.9.9.7\n", encoding="utf-8")
    running.hang_up()
    wait(lambda: not decided(api, "feed:bad"), "who left the feed is still decided about", 20)
    await_in_step(api)
    probes.connect(lab.places.pin("attacker"), _SERVER, 25, 2.0).close()
