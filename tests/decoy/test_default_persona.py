"""A tenant without a persona gets the default one, whose ports are those of real servers.

In a network of its own an ordinary user may open them, too.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.decoy.running import NOBODY, SETTINGS, Running

pytestmark = pytest.mark.programs
_IS_ROOT = os.geteuid() == 0
_OWN_NETWORK = ("unshare", "--net") if _IS_ROOT else ("unshare", "--net", "--user", "--map-root-user")
_OTHERS_NETWORK = (
    ("nsenter", "--net") if _IS_ROOT else ("nsenter", "--net", "--user", "--preserve-credentials")
)


@pytest.fixture
def decoy(tmp_path: Path) -> Iterator[Running]:
    inside = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-m", "services.decoy.main")
    running = Running(tmp_path, program=(*_OWN_NETWORK, *inside))
    running.begin()
    yield running
    running.close()


def page(decoy: Running, address: str) -> str:
    """Return what a real client in the decoy's network is given."""
    there = [*_OTHERS_NETWORK, f"--target={decoy.process.pid}", "--"]
    command = [*there, "curl", "--silent", "--noproxy", "*", "--max-time", "30", f"http://{address}/"]
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", timeout=60).stdout


def test_a_new_tenant_is_taken_up_with_the_default_persona(decoy: Running) -> None:
    tenants = [*SETTINGS["tenants"], {"name": "new", "prefixes": ["127.32.0.0/24"]}]  # type: ignore[misc]
    decoy.write_settings({"revision": 2, "tenants": tenants})
    assert decoy.wait_for("SettingsLoaded", 2)["tenants"] == 2
    assert "Welcome to nginx!" in page(decoy, NOBODY)
    assert decoy.count("ListenFailed") == 0
