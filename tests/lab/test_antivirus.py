"""Anti-virus in the lab: a whole fleet becomes current in seconds, over the edge, whatever dies meanwhile."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab.lab import Lab
from lab.mail import Letter, send
from lab.messages import carrying
from lab.network import tail
from lab.services import antivirus, scanners
from lab.services.controllers import api_address
from tests.lab.conftest import House

pytestmark = pytest.mark.lab

_PATIENCE_S = 30.0
_SENDER, _ALICE, _SERVER = "someone@sender.example", "alice@acme.example", "203.0.113.10"


@pytest.fixture
def api(lab: Lab) -> ApiClient:
    return ApiClient(api_address(lab.places))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    file = tmp_path / "sample.bin"
    file.write_bytes(b"PL" + os.urandom(600))
    return file


def builder(lab: Lab, *arguments: str) -> str:
    command = antivirus.builder_command(lab.places, *arguments)
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pointed_at(lab: Lab, ring: str = "all") -> int:
    return int(json.loads(builder(lab, "status", "--json"))["rings"][ring]["generation"])


def await_that(condition: Callable[[], Any], what: str) -> float:
    """Return after how many seconds a condition held."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < _PATIENCE_S, f"waited in vain: {what}"
        time.sleep(0.05)
    return time.monotonic() - begun


def used(api: ApiClient) -> dict[str, int]:
    """Return the generation of every client and scanner, as they report it."""
    rows = api.get("/v1/antivirus/fleet")["clients"]
    return {row["host"]: row["generation"] for row in rows}


def await_everybody(lab: Lab, api: ApiClient, number: int) -> float:
    """Return after how many seconds all reported this generation; show the logs of those that do not."""
    try:
        return await_that(lambda: set(used(api).values()) == {number}, f"generation {number} for everybody")
    except AssertionError:
        late = {
            host: tail(lab.places.log(f"{host}.av-agent")) for host, has in used(api).items() if has != number
        }
        print(
            api.get("/v1/antivirus/fleet")["servers"],
            *(f"{host}:\n{end}" for host, end in late.items()),
            sep="\n",
        )
        raise


def finds(lab: Lab, host: str, file: Path) -> bool:
    directory = antivirus.database(lab.places, host)
    command = lab.command_in(host, ["clamscan", "--no-summary", f"--database={directory}", str(file)])
    return subprocess.run(command, stdout=subprocess.DEVNULL, timeout=60, check=False).returncode == 1


def told(lab: Lab, payload: bytes) -> str:
    message = carrying(payload, _SENDER, _ALICE)
    return send(lab.places.pin("sender"), Letter(_SENDER, _ALICE, _SERVER, message, False)).reply


def test_a_new_generation_is_everybodys_within_seconds(lab: Lab, api: ApiClient, sample: Path) -> None:
    builder(lab, "immunize", str(sample))
    number = pointed_at(lab)
    await_everybody(lab, api, number)
    assert {"acme-lap", "globex-lap", "acme-pc", "globex-pc", "scanner1", "scanner2"} <= set(used(api))
    assert all(finds(lab, host, sample) for host in ("acme-lap", "globex-lap"))


def test_ring_canary_is_acme_only_until_it_is_promoted(lab: Lab, api: ApiClient) -> None:
    builder(lab, "publish", "--at-once")
    builder(lab, "publish")
    number = pointed_at(lab, "canary")
    await_that(lambda: used(api)["acme-lap"] == used(api)["acme-pc"] == number, "acme has it")
    others = pointed_at(lab)
    await_that(lambda: used(api)["globex-lap"] == used(api)["scanner1"] == others, "others have theirs")
    assert others < number
    builder(lab, "promote")
    await_everybody(lab, api, number)


def test_no_message_waits_or_passes_unscanned_while_scanners_take_a_new_generation(
    lab: Lab, sample: Path
) -> None:
    """Mail with something unknown is sent all the while: accepted, then refused, and never anything else."""
    replies = [told(lab, sample.read_bytes())]
    builder(lab, "immunize", str(sample))
    begun = time.monotonic()
    while not replies[-1].startswith("550"):
        sent_at = time.monotonic()
        replies.append(told(lab, sample.read_bytes()))
        assert time.monotonic() - sent_at < 10
        assert time.monotonic() - begun < _PATIENCE_S
    assert {reply[:3] for reply in replies} == {"250", "550"}
    assert told(lab, sample.read_bytes()).startswith("550")


def test_a_dead_server_is_not_noticed_by_clients(lab: Lab, api: ApiClient, sample: Path) -> None:
    lab.stop("av1.antivirus", 0.0)
    try:
        builder(lab, "immunize", str(sample))
        number = pointed_at(lab)
        await_everybody(lab, api, number)
        assert finds(lab, "globex-lap", sample)
    finally:
        lab.start("av1.antivirus")


def test_a_server_that_comes_back_has_what_was_published_meanwhile(lab: Lab, api: ApiClient) -> None:
    lab.stop("av2.antivirus")
    builder(lab, "publish", "--at-once")
    lab.start("av2.antivirus")

    def serves() -> set[int]:
        servers = {row["name"]: row["rings"] for row in api.get("/v1/antivirus/fleet")["servers"]}
        return {ring["generation"] for ring in servers["av2"].values()}

    await_that(lambda: serves() == {pointed_at(lab)}, "av2 has it")


def test_a_client_whose_agent_is_dead_is_named_and_scans_on(lab: Lab, api: ApiClient, sample: Path) -> None:
    builder(lab, "immunize", str(sample))
    await_that(lambda: finds(lab, "globex-pc", sample), "it has it")
    lab.stop("globex-pc.av-agent", 0.0)
    try:
        builder(lab, "publish", "--at-once")
        await_that(lambda: used(api)["globex-lap"] == pointed_at(lab), "others are current")
        rows = api.get("/v1/antivirus/fleet?tenant=globex")["clients"]
        (row,) = [row for row in rows if row["host"] == "globex-pc"]
        assert row["behind"] == f"has generation {row['generation']}, but its ring has {pointed_at(lab)}"
        assert finds(lab, "globex-pc", sample)
    finally:
        lab.start("globex-pc.av-agent")
    await_that(lambda: used(api)["globex-pc"] == pointed_at(lab), "it is current again")


def test_an_agent_that_is_started_again_is_healthy_once_its_report_has_arrived(
    lab: Lab, api: ApiClient
) -> None:
    lab.stop("acme-pc.av-agent")
    begun = time.monotonic()
    lab.start("acme-pc.av-agent")
    (heard_s,) = (
        row["heard_s"] for row in api.get("/v1/antivirus/fleet")["clients"] if row["host"] == "acme-pc"
    )
    assert heard_s < time.monotonic() - begun


def test_without_the_controller_signatures_go_their_way(lab: Lab, sample: Path) -> None:
    lab.stop("controller")
    try:
        builder(lab, "immunize", str(sample))
        await_that(
            lambda: all(finds(lab, host, sample) for host in ("acme-lap", "globex-lap")), "they find it"
        )
    finally:
        lab.start("controller")


def test_a_scanners_signatures_that_are_not_ours_stay(lab: Lab) -> None:
    names = {path.name for path in scanners.signatures(lab.places, "scanner1").iterdir()}
    assert {"postern-test.ndb", "postern.ndb"} <= names


@pytest.fixture
def ring(house: House) -> Iterator[Lab]:
    """Four switches, two servers on two of them, a tenant with two gateways."""
    yield house.open("ring")


def test_clients_at_one_private_address_are_told_apart_across_switches(ring: Lab, sample: Path) -> None:
    builder(ring, "immunize", str(sample))
    api = ApiClient(api_address(ring.places))
    number = pointed_at(ring)
    await_everybody(ring, api, number)
    rows = {row["host"]: row["asker"] for row in api.get("/v1/antivirus/fleet")["clients"]}
    assert (rows["acme-lap"], rows["globex-lap"], rows["scanner2"]) == ("acme", "globex", "scanners")
    assert all(finds(ring, host, sample) for host in ("acme-lap", "globex-lap"))
