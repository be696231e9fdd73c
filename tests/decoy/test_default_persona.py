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
_NAMESPACES = ("--net",) if os.geteuid() == 0 else ("--user", "--net")
_AS_ROOT_THERE = () if os.geteuid() == 0 else ("--map-root-user",)


@pytest.fixture
def decoy(tmp_path: Path) -> Iterator[Running]:
    inside = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-m", "services.decoy.main")
    running = Running(tmp_path, program=("unshare", *_NAMESPACES, *_AS_ROOT_THERE, *inside))
    running.begin()
    yield running
    running.close()


def page(decoy: Running, address: str) -> str:
    """Return what a real client in the decoy's network is given."""
    there = ["nsenter", f"--target={decoy.process.pid}", *_NAMESPACES, "--"]
    command = [*there, "curl", "--silent", "--noproxy", "*", "--max-time", "30", f"http://{address}/"]
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", timeout=60).stdout


def test_a_new_tenant_is_taken_up_with_the_default_persona(decoy: Running) -> None:
    tenants = [*SETTINGS["tenants"], {"name": "new", "prefixes": ["127.32.0.0/24"]}]  # type: ignore[misc]
    decoy.write_settings({"revision": 2, "tenants": tenants})
    assert decoy.wait_for("SettingsLoaded", 2)["tenants"] == 2
    assert "Welcome to nginx!" in page(decoy, NOBODY)
    assert decoy.count("ListenFailed") == 0
