"""What each program on a host does with a controller, told with the real program.

A story is told three times: with a recorder before a real controller, to write the files of a release; with a
player, to see that the program of today works with the controller of that release; and by hand with programs
of another commit (`python -m tests.upgrade.record --help`).
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.antivirus.builder.publisher import Publisher
from services.antivirus.builder.store import Store
from tests.antivirus.conftest import open_to_others
from tests.decoy.running import Client as DecoyClient
from tests.journals import read_journal
from tests.mail.conftest import free_port, stop
from tests.mail.scripted import Client, ScriptedServer
from tests.sensors.conftest import Web
from tests.sensors.test_suricata import alert
from tests.upgrade.ends import End

ROOT = Path(__file__).parents[2]
MEMBER_BY_POOL = {
    "antivirus": "av1",
    "decoys": "decoy1",
    "proxies": "proxy1",
    "responders": "responder1",
    "scanners": "scanner1",
}
KEY = "postern-av.pub"
DECOY = "127.41.0.10"
_PATIENCE_S = 60.0
_PERSONA = """\
postern-persona: 1
tenant: acme
hosts:
  mx: {{addresses: [{address}], services: {{{port}: {{protocol: pop3}}}}}}
"""
Json = dict[str, Any]


@dataclass
class Program:
    """A program of ours, and its journal."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self, *names: str) -> list[Json]:
        return [event for event in read_journal(self.log) if event["event"] in names]

    def wait_for(self, *names: str, count: int = 1) -> Json:
        """Return the journal's event of one of these names, the `count`th, as soon as it is there."""
        deadline = time.monotonic() + _PATIENCE_S
        while len(found := self.events(*names)) < count:
            assert time.monotonic() < deadline, f"no {names} in {read_journal(self.log)}"
            assert self.process.poll() is None or len(self.events(*names)) >= count, "the program has ended"
            time.sleep(0.02)
        return found[count - 1]


@dataclass
class Stage:
    """Where a story is told. `settings`: what the controller wrote for each pool.

    `tree`: the checkout whose programs run.
    """

    home: Path
    settings: Mapping[str, Json]
    token_of: Callable[[str], str] = lambda _: "a-token"
    tree: Path = ROOT
    files: dict[str, str] = field(default_factory=dict)
    _end: End | None = None
    _started: int = 0

    @property
    def end(self) -> End:
        """Return the other end, as the programs see it."""
        assert self._end is not None, "the story has no other end yet"
        return self._end

    @end.setter
    def end(self, end: End) -> None:
        self._end = end

    @property
    def api(self) -> str:
        return self.end.address

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.tree)}

    @contextmanager
    def running(self, module: str, *arguments: str) -> Iterator[Program]:
        self._started += 1
        log = self.home / f"{module}-{self._started}.log"
        command = [sys.executable, "-m", f"services.{module}", *arguments, "--log", str(log)]
        program = Program(subprocess.Popen(command, cwd=self.tree, env=self.environment), log)
        try:
            yield program
        finally:
            stop(program.process)

    def settings_file(self, pool: str, **changes: object) -> Path:
        """Write a pool's settings as they are, except for `changes`: ports and addresses of this machine."""
        file = self.home / f"{pool}.json"
        write_whole(file, {**self.settings[pool], **changes})
        return file

    @contextmanager
    def gateway(self, pool: str, *arguments: str) -> Iterator[tuple[Program, Client]]:
        """Start a gateway with a client at its first tenant, whose rules are those of the settings."""
        server, port = ScriptedServer(), free_port()
        (first, *_) = self.settings[pool]["tenants"]
        here = {"servers": ["127.0.1.10"], "prefixes": ["127.0.1.0/24"], "server_port": server.port}
        file = self.settings_file(pool, port=port, tenants=[{**first, **here}], **self._mail_here)
        where = ("--settings", str(file), "--name", "g1", *arguments)
        with contextlib.closing(server), self.running("mail.main", *where) as program:
            program.wait_for("GatewayStarted")
            with contextlib.closing(Client(port)) as client:
                yield program, client

    @property
    def _mail_here(self) -> Json:
        return {"transparent": False, "state_dir": str(self.home / "mail")}

    @contextmanager
    def decoy(self, *arguments: str) -> Iterator[tuple[Program, int]]:
        """Start a decoy that stands in for a POP3 server of acme; give its port at `DECOY`."""
        personas, port = self.home / "personas", free_port()
        personas.mkdir(exist_ok=True)
        (personas / "acme.yaml").write_text(_PERSONA.format(address=DECOY, port=port), encoding="utf-8")
        tenants = [{**self.settings["decoys"]["tenants"][0], "prefixes": ["127.41.0.0/24"]}]
        file = self.settings_file("decoys", tenants=tenants)
        where = ("--personas", str(personas), "--spool", str(self.home / "spool"))
        with self.running("decoy.main", "--settings", str(file), *where, *arguments) as program:
            program.wait_for("DecoyStarted")
            yield program, port

    @contextmanager
    def antivirus(self, *arguments: str) -> Iterator[str]:
        """Start an anti-virus server with one generation for clients at 127.0.0.1; give its URL."""
        open_to_others(self.home)
        store, home, port = Store(self.home / "store"), self.home / "av1", free_port()
        Publisher(store).publish("the first", at_once=True)
        self.files[KEY] = store.public_key.read_text(encoding="utf-8")
        clients = [{**self.settings["antivirus"]["clients"][0], "sources": ["127.0.0.1"]}]
        file = self.settings_file("antivirus", port=port, addresses=["127.0.0.1"], clients=clients)
        where = ("--settings", str(file), "--source", str(store.root), "--home", str(home), "--name", "av1")
        key = ("--public-key", str(store.public_key))
        with self.running("antivirus.server.main", *where, *key, *arguments) as server:
            server.wait_for("AntivirusServerStarted")
            server.wait_for("GenerationServed", count=2)
            yield f"http://127.0.0.1:{port}"


def write_whole(file: Path, media: object) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(media), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(file)


def tell_of_agents(stage: Stage) -> None:
    """Nothing is served here, so the agents report what fails."""
    for member in ("proxies.proxy1", "scanners.scanner1", "antivirus.av1", "decoys.decoy1"):
        where = ("--api", stage.api, "--member", member, "--address", "127.0.9.9")
        with stage.running("health_agent.main", *where) as agent:
            agent.wait_for("ChecksFailed", "ChecksPassed")


def tell_of_mail(stage: Stage) -> None:
    """A message that tries to smuggle another one is evidence."""
    with stage.gateway("proxies", "--api", stage.api) as (_, client):
        assert client.message(b"Subject: s\r\n\r\na\n.\nMAIL FROM:<x@y>").startswith("550 ")
        stage.end.wait_for(lambda asked: b'"mail-protocol-abuse"' in asked.body)


def tell_of_decoys(stage: Stage) -> None:
    """An attacker connects and logs in."""
    with (
        stage.decoy("--api", stage.api) as (_, port),
        contextlib.closing(DecoyClient(DECOY, port)) as attacker,
    ):
        attacker.hear()
        stage.end.wait_for(lambda asked: b'"decoy-connection"' in asked.body)
        attacker.ask(b"USER root")
        attacker.ask(b"PASS toor")
        stage.end.wait_for(lambda asked: b'"decoy-login"' in asked.body)


def tell_of_sensors(stage: Stage) -> None:
    """A feed, a CrowdSec that changes its mind, and an alert of Suricata."""
    feed, eve, key = (stage.home / name for name in ("feed.txt", "eve.json", "key"))
    feed.write_text("192.0.2.64/26 # listed\n192.0.2.9\n", encoding="utf-8")
    key.write_text("k\n", encoding="utf-8")
    eve.touch()
    tenants = stage.settings_file("decoys")
    with contextlib.closing(_crowdsec()) as web:
        settings = stage.home / "sensors.yaml"
        text = _SENSORS.format(tenants=tenants, feed=feed, url=web.url, key=key, eve=eve)
        settings.write_text(text, encoding="utf-8")
        where = ("--settings", str(settings), "--api", stage.api, "--state-dir", str(stage.home / "state"))
        with stage.running("sensors.main", *where) as sensors:
            assert sensors.wait_for("TenantsLoaded")["tenants"] == 2
            sensors.wait_for("OriginReplaced", count=2)
            stage.end.wait_for(lambda asked: (asked.method, asked.path) == ("POST", "/v1/decisions"))
            with eve.open("a", encoding="utf-8") as log:
                log.write(f"{json.dumps(alert())}\n")
            stage.end.wait_for(lambda asked: b'"ids-alert"' in asked.body)


_SENSORS = """\
postern-sensors: 1
tenants: {tenants}
feeds:
  bad: {{source: {feed}}}
crowdsec: {{url: {url}, key_file: {key}, poll: 300ms}}
suricata:
  main: {{file: {eve}}}
"""


def _crowdsec() -> Web:
    """What a CrowdSec says first, and what it says then."""
    web, ban = Web(), {"type": "ban", "duration": "4h", "scope": "Ip", "scenario": "s"}
    first = {"new": [{**ban, "value": "198.51.100.7"}], "deleted": None}
    then = {"new": [{**ban, "value": "198.51.100.8"}], "deleted": [{**ban, "value": "198.51.100.7"}]}
    for startup, media in (("true", first), ("false", then)):
        web.serve(f"/v1/decisions/stream?startup={startup}", json.dumps(media).encode())
    return web


def tell_of_uplinks(stage: Stage) -> None:
    """The settings of every pool, and the same again; and an agent that asks through an uplink."""
    for pool, member in MEMBER_BY_POOL.items():
        token, file, socket = (stage.home / f"{pool}.{name}" for name in ("token", "json", "sock"))
        token.touch(0o600)
        token.write_text(stage.token_of(f"{pool}.{member}"), encoding="utf-8")
        there = ("--api", stage.api, "--token-file", str(token), "--member", f"{pool}.{member}")
        with stage.running("uplink.main", *there, "--settings", str(file), "--listen", str(socket)) as uplink:
            uplink.wait_for("SettingsBrought")
            assert json.loads(file.read_bytes())["pool"] == pool
            if pool == "decoys":
                api = ("--api", f"unix:{socket}", "--member", "decoys.decoy1")
                with stage.running("health_agent.main", *api) as agent:
                    agent.wait_for("ChecksFailed", "ChecksPassed")
                stage.end.wait_for(lambda asked: "If-None-Match" in asked.headers)


def tell_of_consent(stage: Stage) -> None:
    """One tenant says no; the other says yes, but for its own servers only."""
    for tenant, why in (("globex", "consent_to_learning: true"), ("acme", "2001:db8:a::10, 203.0.113.10")):
        command = [sys.executable, "-m", "services.fingerprint.main", "learn", "--api", stage.api]
        command += ["--tenant", tenant, "--address", "203.0.113.99", "--ports", "25"]
        command += ["--out", str(stage.home / f"{tenant}.yaml")]
        done = subprocess.run(
            command, cwd=stage.tree, env=stage.environment, capture_output=True, encoding="utf-8", timeout=60
        )
        assert why in done.stderr, done.stderr


def tell_of_antivirus_servers(stage: Stage) -> None:
    """A server with one generation, at which a host reports."""
    with stage.antivirus("--api", stage.api) as url:
        assert _update(stage, url) == 0
        stage.end.wait_for(lambda asked: b'"pc1"' in asked.body)


def tell_of_antivirus_agents(stage: Stage) -> None:
    """A host that waits for its first generation, installs it and reports; and one that does so once."""
    where = ("--server", stage.api, *_places(stage))
    with stage.running("antivirus.agent.main", *where) as agent:
        assert agent.wait_for("Updated")["generation"] == 1
        stage.end.wait_for(lambda asked: asked.path == "/v1/report")
    assert _update(stage, stage.api) == 0


def _update(stage: Stage, url: str) -> int:
    """Have a host update once; return the exit code."""
    command = [sys.executable, "-m", "services.antivirus.agent.main", "--server", url, "--once"]
    command += _places(stage)
    return subprocess.run(command, cwd=stage.tree, env=stage.environment, timeout=_PATIENCE_S).returncode


def _places(stage: Stage) -> list[str]:
    """Return the options of an agent: its directories, the builder's key, and a name."""
    database, state, key = stage.home / "database", stage.home / "agent", stage.home / KEY
    for directory in (database, state):
        directory.mkdir(exist_ok=True)
    key.write_text(stage.files[KEY], encoding="utf-8")
    places = {"database": database, "state": state, "public-key": key, "name": "pc1"}
    return [word for name, value in places.items() for word in (f"--{name}", str(value))]


@dataclass(frozen=True, slots=True)
class Story:
    """`other_end`: what the program speaks to."""

    tell: Callable[[Stage], None]
    other_end: str


SOCKET, TOKEN_PORT, ANTIVIRUS = "the controller's socket", "the controller's port", "an anti-virus server"
STORIES = {
    "antivirus_agent": Story(tell_of_antivirus_agents, ANTIVIRUS),
    "antivirus_server": Story(tell_of_antivirus_servers, SOCKET),
    "consent": Story(tell_of_consent, SOCKET),
    "decoy": Story(tell_of_decoys, SOCKET),
    "health_agent": Story(tell_of_agents, SOCKET),
    "mail": Story(tell_of_mail, SOCKET),
    "sensors": Story(tell_of_sensors, SOCKET),
    "uplink": Story(tell_of_uplinks, TOKEN_PORT),
}
