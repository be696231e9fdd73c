"""An attacker logs in to a decoy through the edge, at the attacked address, and is heard of."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab.lab import Lab
from lab.namespaces import entering
from lab.services import decoys
from lab.services.controllers import api_address
from tests.journals import read_journal

pytestmark = pytest.mark.lab

_OPTIONS = [
    "-F",
    "none",
    "-oStrictHostKeyChecking=no",
    "-oUserKnownHostsFile=/dev/null",
    "-oConnectTimeout=10",
]


def ssh(lab: Lab, to: str, command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Log in as root with a password that every scanner tries."""
    ask = directory / "askpass"
    ask.write_text("#!/bin/sh\necho toor\n", encoding="utf-8")
    ask.chmod(0o700)
    words = ["ssh", *_OPTIONS, "-oPubkeyAuthentication=no", f"root@{to}", command]
    environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    entered = entering(lab.places.pin("attacker"), words)
    return subprocess.run(
        entered, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60
    )


def commands(lab: Lab, text: str) -> list[dict[str, Any]]:
    members = {part.host for part in lab.parts() if part.name.endswith(".cowrie")}
    files = [decoys.journal(lab.places, member, "cowrie") for member in members]
    return [event for file in files for event in read_journal(file, "CommandEntered", text=text)]


@pytest.mark.parametrize(
    ("address", "source"), [("203.0.113.50", "198.51.100.66"), ("2001:db8:a::50", "2001:db8:bb:6::66")]
)
def test_a_dark_address_has_a_shell_that_tells_everything(
    lab: Lab, tmp_path: Path, address: str, source: str
) -> None:
    said = f"hostname; echo {address}"
    done = ssh(lab, address, said, tmp_path)
    assert done.stdout.splitlines() == ["srv1", address], done.stderr
    deadline = time.monotonic() + 60
    while not (heard := commands(lab, said)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = heard[-1]
    assert (told["source"], told["destination"], told["port"], told["tenant"]) == (
        source,
        address,
        22,
        "acme",
    )
    evidence = ApiClient(api_address(lab.places)).get(f"/v1/sources/{source}")
    assert "decoy-command" in json.dumps(evidence)


def test_from_the_shell_of_a_decoy_nobody_can_be_called(lab: Lab, tmp_path: Path) -> None:
    done = ssh(lab, "203.0.113.50", "wget -O- http://198.51.100.10/", tmp_path)
    assert "failed: Network is unreachable." in done.stdout
