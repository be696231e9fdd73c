"""Anti-virus: the builder beside the controller, servers, and an agent on each client and scanner."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from controller.api.client import ApiClient, ApiError
from controller.policy.model import Pool, PoolKind
from lab import probes
from lab.component import Component, Scene
from lab.errors import LabError
from lab.namespaces import entering
from lab.paths import LabPaths
from lab.services import decoys, scanners
from lab.services.controllers import api_address
from lab.services.members import Program, deaths_in

_SERVER = Program(
    "antivirus",
    "services.antivirus.server.main",
    lambda pin: probes.http(pin, probes.OWN_HOST, 80, "/healthz"),
)
_BUILDER = "services.antivirus.builder.main"
_PUBLISHES_WITHIN_S = 60.0
_WATCHES = '"event": "BuilderStarted"'  # in the builder's journal
_MOST_DEATHS = 2  # of nginx, after which the lab stops waiting for it


def build_parts(scene: Scene) -> list[Component]:
    pools = [pool for pool in scene.policy.pools if pool.kind is PoolKind.ANTIVIRUS]
    if not pools:
        return []
    servers = [_server(scene.places, pool, member.name) for pool in pools for member in pool.members]
    return [_builder(scene, pools[0]), *servers, *_agents(scene, pools[0])]


def store(places: LabPaths) -> Path:
    """Return the builder's store."""
    return places.home("antivirus.store")


def database(places: LabPaths, host: str) -> Path:
    """Return the directory of a client's signatures."""
    return places.home(f"{host}.signatures")


def clients(scene: Scene) -> list[str]:
    """Return the hosts inside that keep signatures."""
    names = [tenant.name for tenant in scene.policy.tenants if tenant.antivirus]
    hosts = [host.name for host in scene.network.hosts_with("client")]
    return [host for host in hosts if any(host.startswith(f"{name}-") for name in names)]


def builder_command(places: LabPaths, *arguments: str) -> list[str]:
    """Return the command line for the builder."""
    return [sys.executable, "-P", "-m", _BUILDER, "--store", str(store(places)), *arguments]


def _builder(scene: Scene, own: Pool) -> Component:
    """Publishes a first generation, and then makes signatures from the decoys' captures."""
    places = scene.places
    uploads = [
        decoys.spool(places, member.name, kind) / "uploads"
        for pool in scene.policy.pools
        if pool.kind is PoolKind.DECOY
        for member in pool.members
        for kind in decoys.KINDS
    ]
    settings, log = places.gateway_settings(own.name), places.log("antivirus.builder")
    begun = Words(log)

    def prepare() -> None:
        begun.begin_anew()
        _publish(places)

    captures = [argument for each in uploads for argument in ("--captures", str(each))]
    return Component(
        name="antivirus.builder",
        command=tuple(builder_command(places, "watch", "--settings", str(settings), *captures)),
        log=log,
        prepare=prepare,
        check=lambda: "" if _WATCHES in begun.said() else "it is not watching the decoys' captures yet",
    )


class Words:
    """A program's output since it was started, or all of it if an earlier command started it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._begins_at = 0

    def begin_anew(self) -> None:
        with suppress(FileNotFoundError):
            self._begins_at = self._log.stat().st_size

    def said(self) -> str:
        with suppress(FileNotFoundError), self._log.open("rb") as file:
            file.seek(self._begins_at)
            return file.read().decode(errors="replace")
        return ""


def _publish(places: LabPaths) -> None:
    command = builder_command(places, "publish", "--at-once", "--reason", "first generation of the lab")
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_PUBLISHES_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise LabError(f"signatures cannot be published: {done.stderr.strip()}")


def _key(places: LabPaths) -> Path:
    return store(places) / "keys" / "postern-av.pub"


def _server(places: LabPaths, pool: Pool, name: str) -> Component:
    member = next(each for each in pool.members if each.name == name)
    home = _SERVER.home(places, name)
    part = _SERVER.part(
        places,
        pool,
        member,
        *("--source", str(store(places)), "--home", str(home)),
        *("--public-key", str(_key(places)), "--api", api_address(places)),
    )
    return replace(
        part,
        is_due=lambda: part.is_due() and (store(places) / "rings" / "all").exists(),
        find_crashes=lambda: deaths_in(_SERVER.journal(places, name), "NginxDied", _MOST_DEATHS),
    )


def _agents(scene: Scene, pool: Pool) -> Iterator[Component]:
    for host in clients(scene):
        yield _agent(scene.places, pool, host, database(scene.places, host), "--kind", "client")
    for other in scene.policy.pools:
        for member in other.members if other.kind is PoolKind.SCANNER else ():
            directory = scanners.signatures(scene.places, member.name)
            clamd = ("--clamd", f"127.0.0.1:{other.port}")
            yield _agent(scene.places, pool, member.name, directory, "--kind", "scanner", *clamd)


def _agent(places: LabPaths, pool: Pool, host: str, directory: Path, *more: str) -> Component:
    name = f"{host}.av-agent"
    state = places.home(name)
    heard = _Heard(places, host, state)
    command = [sys.executable, "-P", "-m", "services.antivirus.agent.main", "--name", host]
    command += ["--server", f"http://{pool.vip[0]}:{pool.port}", "--database", str(directory)]
    command += ["--state", str(state), "--public-key", str(_key(places)), *more]
    return Component(
        name=name,
        host=host,
        command=tuple(entering(places.pin(host), command)),
        log=places.log(name),
        prepare=lambda: heard.prepare(directory),
        is_due=_key(places).exists,
        check=heard.check,
    )


class _Heard:
    """Whether an agent's report has reached the controller through a server."""

    def __init__(self, places: LabPaths, host: str, state: Path) -> None:
        self._places, self._host, self._state = places, host, state
        self._started_at = -math.inf  # monotonic; by an earlier command

    def prepare(self, database: Path) -> None:
        database.mkdir(parents=True, exist_ok=True)
        self._state.mkdir(parents=True, exist_ok=True)
        self._started_at = time.monotonic()

    def check(self) -> str:
        if not (generation := _generation(self._state)):
            return "it has no signatures yet"
        try:
            clients = ApiClient(api_address(self._places)).get("/v1/antivirus/fleet")["clients"]
        except (ApiError, OSError) as error:
            return f"the controller does not answer about agents: {error}"
        rows = [row for row in clients if row["host"] == self._host]
        running_s = time.monotonic() - self._started_at
        current = [row for row in rows if row["generation"] == generation and not row["stale"]]
        if not any(row["heard_s"] < running_s for row in current):
            return f"the controller has no report of generation {generation} from it yet"
        return ""


def _generation(state: Path) -> int:
    try:
        return int(json.loads((state / "state.json").read_bytes())["generation"])
    except (OSError, ValueError, KeyError):
        return 0
