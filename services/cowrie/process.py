"""One Cowrie process: started without network or privileges, given connections, read from, ended."""

import asyncio
import contextlib
import json
import os
import pwd
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cowrie.state_directory import Account

USER = "postern-cowrie"
_PLUGIN = Path(__file__).resolve().parent / "plugin"
_REPOSITORY = _PLUGIN.parents[2]
_SET_UP = _REPOSITORY / "deploy" / "setup" / "cowrie-environment"
_MAKES_USER = _REPOSITORY / "deploy" / "setup" / "system"
# Only the plugin's own directory is on the path of Cowrie's Python, so our other modules cannot interfere.
_LAUNCH = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); sys.argv[0] = 'plugin'; "
    "runpy.run_module('plugin', run_name='__main__')"
)
# Cowrie's user may be unable to enter the directories above its Python, its plugin or its state: a home
# directory has mode 0700. So all three are mounted below one directory of Cowrie's own mount namespace while
# we are still root. They are opened first, since they may be below that directory; mount(8) must then use
# /proc/self/fd/N as it is. The plugin is copied: after `umask 077; git clone` only its owner can read it.
_STAGE = "/mnt"
_SET_THE_STAGE = f"""\
set -e
exec 7<"$1" 8<"$2" 9<"$3"
shift 3
mount -t tmpfs -o mode=0755,size=16m,nosuid,nodev postern-cowrie {_STAGE}
mkdir {_STAGE}/python {_STAGE}/plugin {_STAGE}/state
mount --no-canonicalize --bind /proc/self/fd/7 {_STAGE}/python
mount -o remount,bind,ro {_STAGE}/python
cp -R /proc/self/fd/8/. {_STAGE}/plugin/plugin
chmod -R u=rwX,go=rX {_STAGE}/plugin
mount --no-canonicalize --bind /proc/self/fd/9 {_STAGE}/state
mount -o remount,ro {_STAGE}
exec 7<&- 8<&- 9<&-
cd {_STAGE}/state
exec "$@"
"""
_LONGEST_LINE_BYTES = 512 * 1024
_MOST_COMPLAINTS = 20
_PATIENCE_S = 5.0


class CowrieMissing(Exception):
    """Cowrie cannot be started on this host; the text has the remedy."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where Cowrie is installed, and the user that runs it."""

    environment: Path
    account: Account

    def command(self, home: Path, descriptor: int) -> list[str]:
        """Return the command line of a Cowrie in `home`, with no interface except lo, and no privileges."""
        rights = ["--no-new-privs", "--inh-caps=-all", "--pdeathsig=KILL"]
        launch = ["-I", "-c", _LAUNCH]
        if os.geteuid() != 0:
            python = [str(self.environment / "bin/python"), *launch, str(_PLUGIN.parent), str(descriptor)]
            return ["unshare", "--user", "--net", "setpriv", *rights, *python]
        stage = ["/bin/sh", "-c", _SET_THE_STAGE, "sh", str(self.environment), str(_PLUGIN), str(home)]
        who = [f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups"]
        python = [f"{_STAGE}/python/bin/python", *launch, f"{_STAGE}/plugin", str(descriptor)]
        apart = ["unshare", "--net", "--ipc", "--mount", *stage]
        return [*apart, "setpriv", *who, "--bounding-set=-all", *rights, *python]


def find_installed() -> Installed:
    """Raise `CowrieMissing`."""
    named = Path(os.environ.get("POSTERN_COWRIE_VENV", _REPOSITORY / ".venv-cowrie")).absolute()
    python = named / "bin/python"
    if not python.exists():
        raise CowrieMissing(f"{python} is missing; remedy: {_SET_UP}, or set POSTERN_COWRIE_VENV")
    if os.geteuid() != 0:
        _need_user_namespaces()
        return Installed(named, Account(os.geteuid(), os.getegid()))
    try:
        user = pwd.getpwnam(USER)
    except KeyError as error:
        raise CowrieMissing(f"there is no user {USER}; remedy: {_MAKES_USER}, as root") from error
    return Installed(named, Account(user.pw_uid, user.pw_gid))


def _need_user_namespaces() -> None:
    """Without root, isolation needs user namespaces. Raise `CowrieMissing` if they are disabled."""
    tried = subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True, timeout=10)
    if tried.returncode != 0:
        raise CowrieMissing(
            "user namespaces are disabled on this host; remedy: run postern-cowrie as root, "
            "or sysctl -w user.max_user_namespaces=10000"
        )


class Cowrie:
    """A running process, created by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, link: socket.socket) -> None:
        self._process = process
        self._link = link
        self._writing = asyncio.Lock()
        self.complaints: list[str] = []
        self._ear = asyncio.create_task(self._listen_to_complaints())

    @staticmethod
    async def start(installed: Installed, home: Path) -> "Cowrie":
        """Raise `OSError` if the process cannot be started."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                *installed.command(home, theirs.fileno()),
                cwd=home,
                env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=64 * 1024,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Cowrie(process, ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def hand_over(self, connection: socket.socket, protocol: str, key: str) -> None:
        """Send a connection to Cowrie. Raise `OSError` or `TimeoutError` if Cowrie does not take it."""
        await self._send({"open": protocol, "key": key}, [connection.fileno()])

    async def ping(self, number: int) -> None:
        await self._send({"ping": number}, [])

    async def events(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield Cowrie's events until it ends."""
        loop = asyncio.get_running_loop()
        waiting = b""
        while data := await _read(loop, self._link):
            *lines, waiting = (waiting + data).split(b"\n")
            if len(waiting) > _LONGEST_LINE_BYTES:
                waiting = b""
            for line in lines:
                if (event := _parsed(line)) is not None:
                    yield event

    def hang_up(self) -> None:
        """Ask Cowrie to end by closing the link."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    async def stop(self) -> None:
        """End Cowrie: first by closing the link, then by SIGTERM, then by SIGKILL."""
        self.hang_up()
        for harder in (None, self._process.terminate, self._process.kill):
            with contextlib.suppress(ProcessLookupError):
                if harder is not None:
                    harder()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _PATIENCE_S)
                break
        await self._ear
        self._link.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _send(self, said: Mapping[str, Any], descriptors: list[int]) -> None:
        """Send a line with descriptors. They go with its first byte, so the line must be sent as a whole."""
        line = json.dumps(said).encode() + b"\n"
        async with self._writing, asyncio.timeout(_PATIENCE_S):
            while True:
                try:
                    sent = socket.send_fds(self._link, [line], descriptors)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.01)
            if sent < len(line):
                await asyncio.get_running_loop().sock_sendall(self._link, line[sent:])

    async def _listen_to_complaints(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # over the limit: the stream has dropped the line
                continue
            if not line:
                return
            self.complaints.append(line.decode(errors="replace").strip()[:500])
            del self.complaints[:-_MOST_COMPLAINTS]


async def _read(loop: asyncio.AbstractEventLoop, link: socket.socket) -> bytes:
    try:
        return await loop.sock_recv(link, 256 * 1024)
    except OSError:
        return b""


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
