"""A real controller, without any switch, whose API over TCP speaks TLS; and real uplinks to it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient, ApiError
from tests.journals import read_journal
from tests.mail.conftest import ROOT, free_ports, stop
from tests.policies import accept_policy

MEMBER = "decoys.decoy1"


def eventually(is_so: Callable[[], bool], otherwise: Callable[[], object]) -> None:
    for _ in range(2_400):
        if is_so():
            return
        time.sleep(0.025)
    raise AssertionError(otherwise())


RYU_MANAGER = (str(Path(sys.executable).parent / "ryu-manager"), str(ROOT / "apps" / "edge.py"))


class Controller:
    def __init__(
        self,
        home: Path,
        program: Sequence[str] = RYU_MANAGER,
        policy: Path = ROOT / "policies" / "demo.yaml",
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.home, self._program, self._environment = home, program, environment
        self.api = ApiClient(f"unix:{home}/api.sock")
        self.port, self.switch_port = free_ports(2)
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = home / "state" / "api" / "certificate.pem"
        shutil.copy(policy, home / "policy.yaml")
        self.log = home / "controller.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, over_tcp: bool = True) -> None:
        """Return when the API answers."""
        settings = {
            "POSTERN_POLICY": f"{self.home}/policy.yaml",
            "POSTERN_STATE_DIR": f"{self.home}/state",
            "POSTERN_API": self.api.address,
            "POSTERN_LISTEN": self.url,
            "POSTERN_SWITCH_CONTROL": f"{self.home}/nobody.ctl",
        }
        command = [*self._program, "--ofp-listen-host", "127.0.0.1"]
        command += ["--ofp-tcp-listen-port", str(self.switch_port)]
        environment = {**self._environment, **settings}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, cwd=self.home, stdout=log, stderr=log)
        eventually(lambda: self._answers(over_tcp), self.log.read_text)

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)
            self.process = None

    def token(self, member: str) -> str:
        token: str = self.api.post("/v1/tokens", {"name": member, "role": "member"})["token"]
        return token

    def edit(self, old: str, new: str) -> int:
        """Have the policy edited, as by `postern apply`; return its revision."""
        text = (self.home / "policy.yaml").read_text(encoding="utf-8")
        assert old in text
        (self.home / "policy.yaml").write_text(text.replace(old, new), encoding="utf-8")
        return accept_policy(self.api, "policy.yaml", text.replace(old, new))

    def _answers(self, over_tcp: bool) -> bool:
        try:
            self.api.get("/v1/status")
        except ApiError:
            return False
        with socket.socket() as probe:
            return not over_tcp or probe.connect_ex(("127.0.0.1", self.port)) == 0


class Uplink:
    """One on the host of a member."""

    def __init__(self, controller: Controller, home: Path) -> None:
        self.controller, self.home = controller, home
        self.socket, self.settings, self.log = home / "run/api.sock", home / "settings.json", home / "journal"
        self.token, self.member = home / "token", MEMBER
        self.api = ApiClient(f"unix:{self.socket}")
        self.process: subprocess.Popen[bytes] | None = None

    def hand_over(self, token: str) -> None:
        draft = self.token.with_suffix(".draft")
        draft.touch(0o600)
        draft.write_text(token + "\n", encoding="utf-8")
        draft.replace(self.token)

    def command(self, *flags: str) -> list[str]:
        words = {"api": self.controller.url, "member": self.member, "ca-file": self.controller.certificate}
        words |= {"token-file": self.token, "settings": self.settings, "listen": self.socket, "log": self.log}
        named = [word for name, value in words.items() for word in (f"--{name}", str(value))]
        return [sys.executable, "-m", "services.uplink.main", *named, *flags]

    def start(self, *flags: str) -> None:
        self.process = subprocess.Popen(self.command(*flags), cwd=ROOT)
        self.wait_for("UplinkStarted", self.count("UplinkStarted") + 1)

    def events(self) -> list[dict[str, Any]]:
        return read_journal(self.log)

    def count(self, event: str) -> int:
        return sum(each["event"] == event for each in self.events())

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        eventually(lambda: self.count(event) >= count, self.events)
        return [each for each in self.events() if each["event"] == event][count - 1]

    def wait_for_revision(self, revision: int) -> dict[str, Any]:
        def has_it() -> bool:
            return (
                self.settings.exists()
                and json.loads(self.settings.read_text(encoding="utf-8"))["revision"] == revision
            )

        eventually(has_it, self.events)
        found: dict[str, Any] = json.loads(self.settings.read_text(encoding="utf-8"))
        return found


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    (tmp_path / "controller").mkdir()
    running = Controller(tmp_path / "controller")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def uplink(controller: Controller, tmp_path: Path) -> Iterator[Uplink]:
    (tmp_path / "host").mkdir()
    link = Uplink(controller, tmp_path / "host")
    link.hand_over(controller.token(MEMBER))
    yield link
    if link.process is not None:
        stop(link.process)
