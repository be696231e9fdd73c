"""A real `postern-decoy` on loopback: addresses of 127.0.0.0/8 serve as the tenant's."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.journals import read_journal
from tests.mail.conftest import ROOT

MX, DARK, NOBODY = "127.31.0.10", "127.31.0.33", "127.32.0.1"
HTTP, SMTP, HTTPS, POP3, IMAP, FTP, HELLO = 18_080, 18_025, 18_443, 18_110, 18_143, 18_021, 18_099
PERSONA = f"""\
postern-persona: 1
tenant: acme
hosts:
  mx:
    addresses: [{MX}]
    ttl: 61
    services:
      {SMTP}: {{protocol: smtp, name: mx.acme.example, ehlo: [PIPELINING, SIZE 100000, STARTTLS],
               tls: {{names: [mx.acme.example]}}}}
      {HTTPS}: {{protocol: https, body: secret, tls: {{names: [www.acme.example], organization: Acme}}}}
      {HELLO}: {{protocol: banner, banner: "named\\r\\n"}}
  dark:
    addresses: dark
    services:
      {HTTP}: {{protocol: http, body: hello}}
      {POP3}: {{protocol: pop3}}
      {IMAP}: {{protocol: imap}}
      {FTP}: {{protocol: ftp}}
      {HELLO}: {{protocol: banner, banner: "dark\\r\\n"}}
"""
SETTINGS = {
    "revision": 1,
    "secret": "07" * 32,
    "since": 1_700_000_000,
    "tenants": [{"name": "acme", "prefixes": ["127.31.0.0/24"]}],
}


@dataclass
class Running:
    home: Path
    flags: tuple[str, ...] = ()
    is_privileged: bool = True  # as far as the test's own user is
    program: Sequence[str] = (sys.executable, "-m", "services.decoy.main")
    environment: Mapping[str, str] = field(default_factory=lambda: {**os.environ, "PYTHONPATH": str(ROOT)})
    process: subprocess.Popen[bytes] = field(init=False)
    clients: "list[Client]" = field(default_factory=list)

    def client(self, address: str, port: int, is_tls: bool = False) -> "Client":
        self.clients.append(Client(address, port))
        if is_tls:
            self.clients[-1].encrypt()
        return self.clients[-1]

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    def begin(self) -> None:
        personas = self.home / "personas"
        personas.mkdir(exist_ok=True)
        if not (personas / "acme.yaml").exists():
            self.write_persona(PERSONA)
            self.write_settings(SETTINGS)
        command = [*self.program, "--settings", str(self.home / "settings")]
        command += ["--personas", str(personas), "--spool", str(self.spool), "--log", str(self.log)]
        if not self.is_privileged and os.geteuid() == 0:
            command = ["setpriv", "--bounding-set=-bpf,-net_admin,-sys_admin", *command]
        started = self.count("DecoyStarted")
        self.process = subprocess.Popen(
            [*command, "--name", "decoy1", *self.flags], cwd=self.home, env=self.environment
        )
        self.wait_for("DecoyStarted", started + 1)

    def write_settings(self, settings: Mapping[str, object]) -> None:
        self._replace(self.home / "settings", json.dumps({**SETTINGS, **settings}))

    def write_persona(self, text: str, tenant: str = "acme") -> None:
        self._replace(self.home / "personas" / f"{tenant}.yaml", text)

    def _replace(self, path: Path, text: str) -> None:
        draft = path.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)

    def events(self, name: str = "") -> list[dict[str, Any]]:
        return read_journal(self.log, name, is_mixed=True)

    def count(self, name: str) -> int:
        return len(self.events(name))

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        for _ in range(2_400):
            found = self.events(name)
            if len(found) >= count:
                return found[-1]
            time.sleep(0.025)
        raise AssertionError(f"no {name}: {self.events()[-5:]}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.process.kill()
        self.process.wait()


class Client:
    def __init__(self, address: str, port: int) -> None:
        self.sock: socket.socket = socket.create_connection((address, port), timeout=10)

    def encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname="acme")

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hear(self, end: bytes = b"\r\n") -> bytes:
        heard = b""
        while not heard.endswith(end):
            more = self.sock.recv(65_536)
            if not more:
                return heard
            heard += more
        return heard

    def hear_all(self) -> bytes:
        return self.hear(end=b"\0 there is no such end")

    def ask(self, line: bytes) -> bytes:
        self.say(line + b"\r\n")
        return self.hear()

    def close(self) -> None:
        self.sock.close()
