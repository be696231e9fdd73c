"""Decoys against the servers that they stand in for, both through the edge, with an attacker's tools."""

import subprocess
import sys
from pathlib import Path

import pytest

from controller.api.client import ApiClient
from lab.lab import Lab
from lab.services.controllers import api_address

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]
_EYES = "198.51.100.200"  # partner's


@pytest.fixture
def api(lab: Lab) -> ApiClient:
    return ApiClient(api_address(lab.places))


def persona(lab: Lab, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli.main", "persona", *arguments, "--from", "partner"]
    command += ["--pause", "20ms", "--api", api_address(lab.places)]
    environment = {"POSTERN_LAB_DIR": str(lab.places.root), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=200, check=False, env=environment
    )


@pytest.mark.parametrize(
    ("tenant", "address"),
    [("acme", "203.0.113.10"), ("acme", "2001:db8:a::10"), ("globex", "203.0.113.74")],
)
def test_nothing_tells_a_decoy_from_its_server_with_nmap_and_every_conversation(
    lab: Lab, tenant: str, address: str
) -> None:
    done = persona(lab, "compare", tenant, "--address", address, "--domain", f"{tenant}.example")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 tells; " in done.stdout
    compared = int(done.stdout.rpartition("0 tells; ")[2].split()[0])
    assert compared > 50, "it has looked at much"


def test_who_compares_is_as_free_afterwards_as_before(lab: Lab, api: ApiClient) -> None:
    persona(lab, "compare", "acme", "http", "--address", "203.0.113.10", "--without-nmap")
    known = api.get(f"/v1/sources/{_EYES}")
    assert known["decisions"] == []
    assert [each for each in api.get("/v1/allow") if each["value"].startswith(_EYES)] == []


def test_one_service_alone_is_learned_through_the_edge(lab: Lab, tmp_path: Path) -> None:
    out = tmp_path / "acme.yaml"
    done = persona(lab, "learn", "acme", "http", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "80 http" in done.stdout
    assert "known differences: 0" in done.stdout
    assert "nginx/" in out.read_text(encoding="utf-8")


def test_a_tenant_that_does_not_consent_is_not_learned_from(lab: Lab, tmp_path: Path) -> None:
    done = persona(lab, "learn", "globex", "--out", str(tmp_path / "globex.yaml"))
    assert done.returncode == 1
    assert "globex has not consented to learning; remedy: ask" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["compare", "nobody"], "no tenant"),
        (["compare", "acme", "--address", "203.0.113.99"], "no such server of acme; the policy publishes: "),
    ],
)
def test_a_mistaken_wish_is_told_with_what_there_is(lab: Lab, arguments: list[str], why: str) -> None:
    done = persona(lab, *arguments)
    assert done.returncode == 1
    assert why in done.stderr
