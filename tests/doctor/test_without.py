"""The real doctor on a machine that lacks something: it says what is lost, and calls nothing wrong for it."""

import json
import subprocess
import sys

import pytest

from tests.without import ROOT, WITHOUT

pytestmark = pytest.mark.programs


def doctor(*prefix: str) -> dict[str, dict[str, str]]:
    command = [*prefix, sys.executable, "-m", "cli.main", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=110)
    assert not done.stderr
    return {record["subject"]: record for record in json.loads(done.stdout)}


@pytest.mark.parametrize(
    ("feature", "subject", "lost"),
    [
        ("ipv6", "IPv6", "IPv4 works"),
        ("ipv6-addresses", "IPv6", "IPv4 works"),
        ("userns", "user namespaces", "for an ordinary user"),
        ("bpf", "bpf(2)", "closed ports of decoys"),
        ("landlock", "Landlock", "the switch still drops its connections"),
    ],
)
def test_what_a_machine_lacks_is_named_with_what_is_lost(feature: str, subject: str, lost: str) -> None:
    found = doctor(str(WITHOUT), feature)[subject]
    assert found["level"] == "lost"
    assert lost in found["lost"]
    assert found["remedy"]


def test_in_a_container_that_forbids_namespaces_the_lab_is_lost_and_the_rest_is_looked_at() -> None:
    found = doctor(str(WITHOUT), "namespaces")
    assert found["user namespaces"]["level"] == "lost"
    assert found["ryu-manager"]["level"] == "good"
