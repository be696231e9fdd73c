"""The doctor looks at a real edge: what is broken on purpose is found, by name, with what mends it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.api.client import ApiClient
from lab.lab import Lab
from lab.services.controllers import api_address
from tests.lab.conftest import await_in_step
from tests.policies import accept_policy

pytestmark = pytest.mark.lab


def _doctor(*words: str) -> list[dict[str, str]]:
    command = [sys.executable, "-m", "cli.main", "doctor", "--json", *words]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    findings: list[dict[str, str]] = json.loads(done.stdout)
    assert done.returncode == (1 if _wrong(findings) else 0)
    return findings


def _wrong(findings: list[dict[str, str]]) -> dict[str, str]:
    return {finding["subject"]: finding["remedy"] for finding in findings if finding["level"] == "wrong"}


def test_the_doctor_finds_nothing_wrong_with_a_healthy_lab(lab: Lab) -> None:
    findings = _doctor()
    assert _wrong(findings) == {}
    assert "bridge s1" in [finding["subject"] for finding in findings]


def test_checksums_left_to_hardware_are_found_and_the_remedy_mends_them(lab: Lab) -> None:
    subprocess.run(["ethtool", "-K", "s1-eth1", "tx", "on"], check=True, capture_output=True)
    remedy = _wrong(_doctor())["bridge s1"]
    subprocess.run(remedy.split(), check=True, capture_output=True)
    assert _wrong(_doctor()) == {}


def test_a_bridge_that_would_forward_by_itself_is_found_and_the_remedy_mends_it(lab: Lab) -> None:
    with _only_reported(lab):
        subprocess.run(["ovs-vsctl", "set-fail-mode", "s1", "standalone"], check=True)
        remedy = _wrong(_doctor())["bridge s1"]
        subprocess.run(remedy.split(), check=True)
        assert _wrong(_doctor()) == {}


@contextmanager
def _only_reported(lab: Lab) -> Iterator[None]:
    """The controller leaves what others change on its switches."""
    api, text = ApiClient(api_address(lab.places)), Path(lab.scene().policy_file).read_text(encoding="utf-8")
    accept_policy(api, "report.yaml", f"{text}\ndrift: report\n")
    try:
        yield
    finally:
        accept_policy(api, "demo.yaml", text)
        await_in_step(api)


def test_a_pool_member_that_answers_for_nobody_is_found(lab: Lab) -> None:
    inside = lab.command_in("acme-pc", [sys.executable, "-m", "cli.main", "doctor", "--member", "--json"])
    done = subprocess.run(inside, capture_output=True, encoding="utf-8")
    assert set(_wrong(json.loads(done.stdout))) == {"AnyIP, IPv4", "AnyIP, IPv6"}


@pytest.mark.parametrize(("host", "kind"), [("proxy1", "member"), ("decoy1", "decoy"), ("av1", "antivirus")])
def test_the_hosts_of_the_labs_pools_are_good_at_what_they_are(lab: Lab, host: str, kind: str) -> None:
    command = [sys.executable, "-m", "cli.main", "doctor", "--json", f"--{kind}"]
    done = subprocess.run(lab.command_in(host, command), capture_output=True, encoding="utf-8", timeout=60)
    assert _wrong(json.loads(done.stdout)) == {}
