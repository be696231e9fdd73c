"""Real servers, learned from once: the decoy that comes of it says what they say."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from common.api import ApiAccess, parse_address
from services.fingerprint import actions
from services.fingerprint.consent import NoConsent, require_consent
from services.fingerprint.main import main
from services.personas.parse import parse_persona
from tests.fingerprint.servers import DECOY, DOMAIN, REAL, Stop, start_nginx, start_postfix, start_sshd
from tests.mail.conftest import stop, wait_for_port

pytestmark = pytest.mark.lab  # a real Postfix needs root
_Port = TypeVar("_Port", int, tuple[int, int])
PAUSE = ("--pause", "10ms")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Real OpenSSH, nginx and Postfix, as `--ports` names them."""
    with ExitStack() as stack:

        def started(start: Callable[[Path], tuple[_Port, Stop]]) -> _Port:
            port, end = start(tmp_path_factory.mktemp("server"))
            stack.callback(end)
            return port

        web, encrypted = started(start_nginx)
        ssh, mail = started(start_sshd), started(start_postfix)
        yield f"{mail}=smtp,{ssh}=ssh,{web}=http,{encrypted}=https,9"


def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent is asked of a controller; that is tried with one in the lab."""

    async def yes(*_: object) -> None:
        return None

    monkeypatch.setattr(actions, "require_consent", yes)


def learn(ports: str, out: Path, *more: str) -> int:
    words = ["learn", "--api", "unix:/nowhere", "--tenant", "acme", "--host", "mx", "--address", REAL]
    return main([*words, "--ports", ports, "--domain", DOMAIN, "--out", str(out), *PAUSE, *more])


def look(address: str, ports: str, out: Path) -> None:
    words = ["look", "--address", address, "--ports", ports, "--domain", DOMAIN, "--out", str(out), *PAUSE]
    assert main([*words, "--closed", "9", "--without-nmap"]) == 0


def test_a_decoy_made_from_what_was_learned_has_no_tell_but_those_that_were_foretold(
    ports: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agreed(monkeypatch)
    out, home = tmp_path / "acme.yaml", tmp_path / "decoy"
    assert learn(ports, out) == 0
    assert "known differences: 0" in capsys.readouterr().out
    (home / "personas").mkdir(parents=True)
    (home / "personas" / "acme.yaml").write_text(
        out.read_text(encoding="utf-8").replace(REAL, DECOY), encoding="utf-8"
    )
    settings = {
        "revision": 1,
        "secret": "07" * 32,
        "since": 1_700_000_000,
        "tenants": [{"name": "acme", "prefixes": ["127.42.0.0/24"]}],
    }
    (home / "settings").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "services.decoy.main", "--name", "decoy1"]
    for name in ("settings", "personas", "spool", "log"):
        command += [f"--{name}", str(home / name)]
    decoy = subprocess.Popen(command)
    try:
        wait_for_port(DECOY, int(ports.partition("=")[0]), decoy)
        without_ssh = ",".join(each for each in ports.split(",") if "ssh" not in each)  # Cowrie's, in the lab
        looks = [tmp_path / "real.json", tmp_path / "decoy.json"]
        for address, file in zip((REAL, DECOY), looks, strict=True):
            look(address, without_ssh, file)
        capsys.readouterr()
        code = main(["compare", *map(str, looks)])
        assert code == 0, capsys.readouterr().out
    finally:
        stop(decoy)


def test_what_is_learned_is_what_the_servers_are(
    ports: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(monkeypatch)
    out = tmp_path / "acme.yaml"
    assert learn(ports, out) == 0
    (host,) = parse_persona(out.read_text(encoding="utf-8"), "acme.yaml").hosts
    by_protocol = {service.protocol.value: service for service in host.services.values()}
    assert by_protocol["smtp"].speech.ehlo[0] == "PIPELINING"  # type: ignore[union-attr]
    assert by_protocol["ssh"].speech.identification.startswith("SSH-2.0-OpenSSH_")  # type: ignore[union-attr]
    assert by_protocol["https"].tls is not None
    assert by_protocol["https"].tls.names[0] == "www.acme.example"


def test_one_service_alone_can_be_learned_and_the_rest_of_the_file_stays(
    ports: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreed(monkeypatch)
    out = tmp_path / "acme.yaml"
    assert learn(ports, out, "--service", "smtp") == 0
    before = out.read_text(encoding="utf-8")
    assert learn(ports, out, "--service", "ssh") == 0
    (host,) = parse_persona(out.read_text(encoding="utf-8"), "acme.yaml").hosts
    assert {service.protocol.value for service in host.services.values()} == {"smtp", "ssh"}
    assert before.split("services:")[0] in out.read_text(encoding="utf-8")


def test_without_consent_nobody_is_talked_to_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "acme.yaml"
    assert learn("25", out) == 1
    assert "the consent of acme is not known" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"tenant": "acme", "consent": False}, "has not consented to learning"),
        ({"tenant": "globex", "consent": True}, "has not consented"),
        ({"tenant": "acme", "consent": "true", "addresses": [REAL]}, "has not consented"),
        ({"tenant": "acme", "consent": True, "addresses": ["203.0.113.10"]}, "is not a server of acme"),
        ([], "has not consented"),
    ],
)
def test_only_a_plain_yes_for_exactly_this_server_is_consent(
    answer: object, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipaddress import ip_address

    async def said(*_: object) -> object:
        return answer

    monkeypatch.setattr("services.fingerprint.consent.controller.request", said)
    with pytest.raises(NoConsent, match=why):
        asyncio.run(require_consent(ApiAccess(parse_address("unix:/x")), "acme", (ip_address(REAL),)))


def test_a_server_that_says_only_rubbish_for_ever_is_left_after_a_while(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUBBISH]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server, ExitStack() as stack:
        stack.callback(server.kill)
        assert server.stdout
        port = server.stdout.readline().strip()
        out = tmp_path / "look.json"
        for protocol in ("smtp", "http", "ssh", "imap", "pop3", "ftp", "banner", "telnet"):
            look("127.0.0.1", f"{port}={protocol}", out)
            assert json.loads(out.read_text(encoding="utf-8"))["ports"][port]["state"] == "open"


_RUBBISH = """
import random, socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def talk(connection):
    try:
        while True:
            connection.sendall(random.randbytes(60_000))
    except OSError:
        pass
while True:
    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()
"""
