"""A real clamd with the lab's own configuration and signatures, and a client that speaks to it."""

import os
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

from common.apparmor import unconfined
from tests.mail.conftest import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = REPOSITORY / "deploy" / "clamav" / "clamd.conf"
SIGNATURES = REPOSITORY / "deploy" / "clamav" / "signatures"
_START_TIMEOUT_S = 30.0


def copy_signatures(source: Path, to: Path) -> None:
    """Copy their content alone: a checkout's files may be for its owner only, and clamd is somebody else."""
    to.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        shutil.copyfile(file, to / file.name)


class Clamd:
    """One clamd on a loopback port of its own. `start` raises `AssertionError` with its words."""

    def __init__(self, home: Path, signatures: Path = SIGNATURES) -> None:
        self._home, self._signatures = home, signatures
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Temporary directories are closed to others, and clamd leaves root behind.
        if os.geteuid() == 0:
            self._home.chmod(0o755)
        copy_signatures(self._signatures, self._home / "database")
        configuration = self._home / "clamd.conf"
        configuration.write_text(self._filled(TEMPLATE.read_text(encoding="utf-8")), encoding="utf-8")
        with (self._home / "out").open("wb") as out:
            command = ["clamd", "--foreground", f"--config-file={configuration}"]
            self._process = subprocess.Popen(
                unconfined(command), stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            said = (self._home / "out").read_text(errors="replace", encoding="utf-8")
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def command(self, name: str) -> str:
        with self._connect() as connection:
            connection.sendall(f"z{name}\0".encode())
            return _read_all(connection)

    def scan(self, data: bytes) -> str:
        """Return clamd's verdict on data: `stream: OK` or `stream: NAME FOUND`."""
        with self._connect() as connection:
            connection.sendall(b"zINSTREAM\0")
            for start in range(0, len(data), 1 << 20):
                chunk = data[start : start + (1 << 20)]
                connection.sendall(struct.pack("!I", len(chunk)) + chunk)
            connection.sendall(struct.pack("!I", 0))
            return _read_all(connection)

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "PONG"
        except OSError:
            return False

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=100)  # its own patience: 60 s

    def _filled(self, text: str) -> str:
        words = {
            "@HOME@": str(self._home),
            "@LISTEN@": "TCPAddr 127.0.0.1",
            "@PORT@": str(self.port),
            "@SIGNATURES@": str(self._home / "database"),
        }
        for word, value in words.items():
            text = text.replace(word, value)
        return text


def _read_all(connection: socket.socket) -> str:
    received = b""
    while chunk := connection.recv(4096):
        received += chunk
    return received.rstrip(b"\0").decode()
