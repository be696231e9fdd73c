"""A real fail2ban of Debian with our action file: what it bans and lets go, the controller hears."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sensors.standin import Request, StandIn

pytestmark = pytest.mark.peers
ACTION = Path(__file__).parents[2] / "deploy" / "fail2ban" / "action.d" / "postern.conf"
_MAIN = """\
[DEFAULT]
loglevel = INFO
logtarget = {home}/fail2ban.log
syslogsocket = auto
socket = {home}/f2b.sock
pidfile = {home}/f2b.pid
dbfile = {home}/f2b.sqlite3
dbpurgeage = 1d
dbmaxmatches = 10
[Definition]
"""
_JAIL = """\
[doors]
enabled = true
filter = doors
logpath = {home}/doors.log
backend = polling
maxretry = 2
findtime = 10m
bantime = {bantime}
ignoreself = false
action = postern[socket={home}/api.sock, decision=drop, sessions=cut]
"""
_FILTER = "[Definition]\nfailregex = ^\\s*wrong password from <HOST>$\n"


class Fail2ban:
    def __init__(self, home: Path, bantime: str) -> None:
        self.home, self.config = home, home / "fail2ban"
        self.doors, self.log = home / "doors.log", home / "fail2ban.log"
        for directory in ("action.d", "filter.d"):
            (self.config / directory).mkdir(parents=True)
        (self.config / "action.d" / "postern.conf").symlink_to(ACTION)
        (self.config / "filter.d" / "doors.conf").write_text(_FILTER, encoding="utf-8")
        (self.config / "fail2ban.conf").write_text(_MAIN.format(home=home), encoding="utf-8")
        (self.config / "jail.conf").write_text(_JAIL.format(home=home, bantime=bantime), encoding="utf-8")
        self.doors.touch()
        self._process = subprocess.Popen(
            ["fail2ban-server", "-c", str(self.config), "-f", "start"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.wait("Jail 'doors' started")
        except AssertionError:
            self.end()
            raise

    def knock(self, source: str, times: int) -> None:
        with self.doors.open("a", encoding="utf-8") as file:
            for _ in range(times):
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} wrong password from {source}\n")

    def client(self, *arguments: str) -> None:
        command = ["fail2ban-client", "-c", str(self.config), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def wait(self, text: str) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < 30:
            if self.log.exists() and text in self.log.read_text(encoding="utf-8"):
                return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text(encoding="utf-8") if self.log.exists() else "no log")

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def fail2ban(home: Path, controller: StandIn) -> Iterator[Fail2ban]:
    started = Fail2ban(home, "4h")
    yield started
    started.end()


def is_ban(request: Request) -> bool:
    return (request.method, request.path) == ("POST", "/v1/decisions")


@pytest.mark.parametrize("source", ["198.51.100.66", "2001:db8:bad::66"])
def test_a_ban_is_a_decision_and_an_unban_takes_it_back(
    fail2ban: Fail2ban, controller: StandIn, source: str
) -> None:
    fail2ban.knock(source, 2)
    assert controller.wait(is_ban, 60.0).media == {
        "decisions": [
            {
                "value": source,
                "action": "drop",
                "duration_s": 4 * 3600,
                "origin": "fail2ban:doors",
                "scenario": "doors",
                "reason": "fail2ban: 2 failures in jail doors",
                "confidence": 0.8,
                "tenant": "",
                "transport": "",
                "port": 0,
                "simulated": False,
                "sessions": "cut",
            }
        ]
    }
    fail2ban.client("set", "doors", "unbanip", source)
    gone = controller.wait(lambda request: request.method == "DELETE", 60.0)
    assert gone.path == "/v1/decisions"
    assert gone.query == {"origin": "fail2ban:doors", "value": source}


def test_a_controller_that_comes_back_soon_hears_the_ban(fail2ban: Fail2ban, controller: StandIn) -> None:
    controller.end()
    fail2ban.knock("198.51.100.66", 2)
    fail2ban.wait("Ban 198.51.100.66")
    controller.begin()
    controller.wait(is_ban, 60.0)


def test_a_jail_that_stops_lets_go_of_all_at_once(fail2ban: Fail2ban, controller: StandIn) -> None:
    fail2ban.knock("198.51.100.66", 2)
    controller.wait(is_ban, 60.0)
    fail2ban.client("stop", "doors")
    gone = controller.wait(lambda request: request.method == "DELETE", 60.0)
    assert gone.query == {"origin": "fail2ban:doors"}


def test_a_refusal_is_in_fail2bans_log_with_its_reason(fail2ban: Fail2ban, controller: StandIn) -> None:
    controller.refusal = "an allow-list has 198.51.100.66; remedy: postern allow delete 3"
    fail2ban.knock("198.51.100.66", 2)
    fail2ban.wait("an allow-list has 198.51.100.66")


def test_a_ban_for_ever_is_one_for_a_year(home: Path, controller: StandIn) -> None:
    started = Fail2ban(home, "-1")
    try:
        started.knock("198.51.100.66", 2)
        assert controller.wait(is_ban, 60.0).media["decisions"][0]["duration_s"] == 366 * 86_400
    finally:
        started.end()
