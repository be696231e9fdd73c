"""nginx as a child process: configured from the settings, reloaded for new ones, restarted when it dies."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from common.wire.antivirus import AntivirusSettings
from services.base import ipv6

_TEMPLATE = Path(__file__).resolve().parents[3] / "deploy" / "antivirus" / "nginx.conf"
_PROGRAMS = ("/usr/sbin/nginx", "nginx")
_WORKERS = "www-data"  # Debian's user for web servers
_ENDS_WITHIN_S = 5.0
_CHECKS_WITHIN_S = 10.0


class NginxFailed(Exception):
    """nginx rejects its configuration, or does not start; the text says why."""


def configuration(settings: AntivirusSettings, home: Path, is_root: bool, has_ipv6: bool) -> str:
    """Return nginx's configuration. One address that the host cannot have would keep nginx from starting."""
    own = [f"127.0.0.1:{settings.port}"]
    own += [
        f"[{each}]:{settings.port}" if each.version == 6 else f"{each}:{settings.port}"
        for each in settings.addresses
        if str(each) != "127.0.0.1" and (each.version == 4 or has_ipv6)
    ]
    rings = [f"        {source} {client.ring};" for source, client in settings.client_by_source.items()]
    words = {
        "HOME": str(home),
        "USER": f"user {_WORKERS};" if is_root else "",
        "LISTEN": "\n".join(f"        listen {address};" for address in own),
        "RINGS": "\n".join(rings),
    }
    text = _TEMPLATE.read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


class Nginx:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: asyncio.subprocess.Process | None = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def serve(self, settings: AntivirusSettings) -> None:
        """Make nginx serve with these settings; reload it if it is running. Raise `NginxFailed`."""
        file = self._home / "nginx.conf"
        beside = self._home / "nginx.conf.new"
        (self._home / "run").mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            await self._check_way()
        text = configuration(settings, self._home, os.geteuid() == 0, ipv6.has_addresses())
        beside.write_text(text, encoding="utf-8")
        await self._check(beside)
        beside.replace(file)
        if self._process is not None and self.is_alive:
            self._process.send_signal(signal.SIGHUP)
            return
        self._end_leftovers()
        self._process = await self._start("-c", str(file))

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _ENDS_WITHIN_S)
                return

    def _end_leftovers(self) -> None:
        """End the workers of a master that was killed: they hold our ports and use the old settings."""
        with contextlib.suppress(OSError, ValueError):
            group = int((self._home / "run" / "nginx.pid").read_text(encoding="utf-8"))
            for pid in _nginxes_of(group):
                os.kill(pid, signal.SIGKILL)

    async def _check_way(self) -> None:
        """Raise `NginxFailed` if nginx's workers have no access: nginx would start, but answer 403 to all."""
        who = (f"--reuid={_WORKERS}", f"--regid={_WORKERS}", "--clear-groups")
        process = await asyncio.create_subprocess_exec("setpriv", *who, "test", "-x", str(self._home / "run"))
        if await process.wait():
            raise NginxFailed(
                f"nginx runs as user {_WORKERS}, which has no access to {self._home}; "
                "remedy: chmod o+x each directory above it, or choose another --home"
            )

    async def _check(self, file: Path) -> None:
        process = await self._start("-t", "-q", "-c", str(file))
        try:
            _, said = await asyncio.wait_for(process.communicate(), _CHECKS_WITHIN_S)
        except TimeoutError as error:
            process.kill()
            raise NginxFailed(f"nginx -t: no answer within {_CHECKS_WITHIN_S:.0f} s") from error
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            raise NginxFailed(f"nginx: {lines[0][:300] if lines else process.returncode}; see {file}")

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        program = next((each for each in _PROGRAMS if Path(each).exists()), _PROGRAMS[-1])
        prefix = ("-p", str(self._home), "-e", str(self._home / "nginx-error.log"))
        try:
            return await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig=TERM"),  # it ends when this process ends, even if it is killed
                program,
                *prefix,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE if "-t" in arguments else asyncio.subprocess.DEVNULL,
                start_new_session=True,  # a group of its own: see _end_leftovers
            )
        except OSError as error:
            raise NginxFailed(f"nginx cannot be started: {error}; remedy: apt-get install nginx") from error


def _nginxes_of(group: int) -> Iterator[int]:
    """Yield the processes of a group that are still nginx: process ids are reused."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            name, _, rest = (
                path.read_text(errors="replace", encoding="utf-8").partition("(")[2].rpartition(")")
            )
            if name == "nginx" and int(rest.split()[2]) == group:  # proc(5): state, parent, group
                yield int(path.parent.name)
