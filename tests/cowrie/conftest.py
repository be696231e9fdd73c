"""The real `postern-cowrie` with real Cowries on loopback addresses, and real clients against it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.journals import read_journal
from tests.mail.conftest import ROOT, free_ports, stop

MX, DARK, ELSEWHERE = "127.9.0.10", "127.9.0.77", "127.8.0.1"
IDENTIFICATION = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"

PERSONA = """\
postern-persona: 1
tenant: acme
hosts:
  mx:
    addresses: [{mx}, "::1"]
    services:
      {ssh}:
        protocol: ssh
        identification: "{identification}"
        hostname: mail1.acme.example
        users: {{root: [toor], alice: ["with:colon", "*not a pattern"]}}
        files: {{/etc/motd: "Welcome to mail1\\n", /srv/secret/plan.txt: "attack at dawn\\n"}}
      {telnet}:
        protocol: telnet
        banner: "Debian GNU/Linux 12\\n"
        hostname: mail1.acme.example
        users: {{root: [toor]}}
  dark:
    addresses: dark
    services:
      {dark}:
        protocol: ssh
        identification: "SSH-2.0-OpenSSH_8.4p1 Debian-5"
        hostname: srv1
        users: {{pi: ["*"]}}
"""


@dataclass
class Decoy:
    process: subprocess.Popen[bytes]
    home: Path
    ssh_port: int
    telnet_port: int
    dark_port: int
    program: Sequence[str] = (sys.executable, "-m", "services.cowrie.main")
    environment: Mapping[str, str] = field(default_factory=lambda: {**os.environ, "PYTHONPATH": str(ROOT)})
    keys: list[Path] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.home / "journal"

    def events(self, name: str = "", **facts: Any) -> list[dict[str, Any]]:
        return read_journal(self.log, name, **facts)

    def wait_for(self, name: str, count: int = 1, **facts: Any) -> dict[str, Any]:
        for _ in range(2_400):
            found = self.events(name, **facts)
            if len(found) >= count:
                return found[count - 1]
            time.sleep(0.025)
        raise AssertionError(f"no {name} with {facts}: {self.events()}")

    def ssh(
        self,
        command: str,
        *options: str,
        user: str = "root",
        password: str = "toor",
        to: str = MX,
        within_s: float = 60,
    ) -> Any:
        """Run a real OpenSSH client; return what became of it."""
        ask = self.home / "askpass"
        ask.write_text('#!/bin/sh\nprintf "%s\\n" "$POSTERN_PASSWORD"\n', encoding="utf-8")
        ask.chmod(0o700)
        port = self.dark_port if to == DARK else self.ssh_port
        known = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        tries = [
            "-o",
            "NumberOfPasswordPrompts=1",
            "-o",
            "PubkeyAuthentication=no",
            "-o",
            "ConnectTimeout=20",
        ]
        return subprocess.run(
            ["ssh", *known, *tries, *options, "-p", str(port), f"{user}@{to}", command],
            env={
                **os.environ,
                "SSH_ASKPASS": str(ask),
                "SSH_ASKPASS_REQUIRE": "force",
                "POSTERN_PASSWORD": password,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=within_s,
        )

    def connect(self, port: int | None = None, to: str = MX) -> socket.socket:
        connection = socket.create_connection((to, port or self.ssh_port), timeout=20)
        return connection

    def pid(self, persona: str = "acme/mx") -> int:
        return int(self.events("CowrieStarted", persona=persona)[-1]["pid"])

    def write_persona(self, text: str) -> None:
        draft = self.home / "personas" / "draft"
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.home / "personas" / "acme.yaml")

    def persona(self, **changes: Any) -> str:
        ports = {"ssh": self.ssh_port, "telnet": self.telnet_port, "dark": self.dark_port}
        return PERSONA.format(**{"mx": MX, "identification": IDENTIFICATION, **ports, **changes})


Start = Callable[..., Decoy]


def begin(home: Path, *flags: str, **program: Any) -> Decoy:
    home.mkdir(exist_ok=True)
    (home / "personas").mkdir(exist_ok=True)
    home.chmod(0o700)  # as a home directory is: Cowrie's user may not enter it
    settings = {
        "revision": 1,
        "secret": "07" * 32,
        "since": 1_700_000_000,
        "tenants": [{"name": "acme", "prefixes": ["127.9.0.0/24", "::1/128"]}],
    }
    (home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    ports = free_ports(3)
    decoy = Decoy(None, home, *ports, **program)  # type: ignore[arg-type]
    decoy.write_persona(decoy.persona())
    start(decoy, *flags)
    return decoy


def start(decoy: Decoy, *flags: str, cowries: int = 2) -> None:
    arguments = {"settings": "settings.json", "personas": "personas", "log": "journal", "spool": "spool"}
    named = [word for name, path in arguments.items() for word in (f"--{name}", str(decoy.home / path))]
    before = len(decoy.events("CowrieStarted"))
    decoy.process = subprocess.Popen(
        [*decoy.program, *named, "--name", "decoy1", *flags], cwd=decoy.home, env=decoy.environment
    )
    try:
        if cowries:
            decoy.wait_for("CowrieStarted", before + cowries)
    except BaseException:  # nobody else has it yet
        stop(decoy.process)
        raise


@pytest.fixture(scope="module")
def decoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decoy]:
    """One that tests share, and leave as it was."""
    home = tmp_path_factory.mktemp("decoy")
    running = begin(home)
    yield running
    stop(running.process)


@pytest.fixture
def own_decoy(tmp_path: Path) -> Iterator[Decoy]:
    """One for a test that breaks it."""
    running = begin(tmp_path / "decoy")
    yield running
    stop(running.process)
