"""Collectors and controllers that are removed from a real bridge come back with all their columns."""

import json
from typing import Any

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from controller.drift.bridge_repair import EXPORT_TABLES
from tests.ovs import test_bridges, test_controller
from tests.ovs.test_bridges import own
from tests.ovs.test_controller import Controller
from tests.ovs.test_drift import await_drift

pytestmark = pytest.mark.ovs
controller, edge = test_controller.controller, test_bridges.edge  # fixtures

COLUMNS = {
    "Controller": (
        *('target="tcp:127.0.0.1:1"', "connection_mode=out-of-band", "inactivity_probe=7000"),
        *("max_backoff=3000", "type=primary", "enable_async_messages=false", "local_ip=192.0.2.4"),
        *("local_netmask=255.255.255.0", "local_gateway=192.0.2.1", "controller_rate_limit=200"),
        *("controller_burst_limit=50", "controller_queue_size=20", 'other_config={"dscp"="40"}'),
        'external_ids={"owner"="noc, second floor"}',
    ),
    "NetFlow": (
        *('targets="192.0.2.9:2055"', "engine_type=3", "engine_id=4", "add_id_to_interface=true"),
        *("active_timeout=30", 'external_ids={"owner"="noc"}'),
    ),
    "sFlow": (
        *('targets=["192.0.2.9:6343","192.0.2.8:6343"]', "sampling=64", "polling=10", "header=128"),
        *("agent=lo", 'external_ids={"owner"="noc"}'),
    ),
    "IPFIX": (
        *('targets="192.0.2.9:4739"', "sampling=32", "obs_domain_id=1", "obs_point_id=2"),
        *("cache_active_timeout=60", "cache_max_flows=100"),
        *('other_config={"enable-tunnel-sampling"="false"}', 'external_ids={"owner"="noc"}'),
    ),
}
SEEN = ("_uuid", "is_connected", "role", "status")  # not settings


def rows(edge: Controller, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table, except this controller, without what the switch itself writes there."""
    found = json.loads(edge.ovs.vsctl("--format=json", "list", table))
    named = (dict(zip(found["headings"], row, strict=True)) for row in found["data"])
    return [
        {column: value for column, value in row.items() if column not in SEEN}
        for row in named
        if row["targets" if table != "Controller" else "target"] != own(edge)
    ]


def test_what_is_restored_equals_what_was_removed_in_all_columns(edge: Controller) -> None:
    edge.edit("\ntenants:", "\ndrift: report\ntenants:")
    edge.hang_up()
    edge.wait_for(2)
    words: list[str] = []
    for table, columns in COLUMNS.items():
        words += ["--", f"--id=@{table}", "create", table, *columns]
    words += ["--", "add", "Bridge", "s1", "controller", "@Controller"]
    for kind, table in EXPORT_TABLES.items():
        words += ["--", "set", "Bridge", "s1", f"{kind}=@{table}"]
    edge.ovs.vsctl(*words[1:])
    await_drift(edge, lambda found: found["open_count"] == len(COLUMNS))
    assert main(["drift", "--accept", "s1", "--api", edge.api.address]) == ExitCode.OK
    before = {table: rows(edge, table) for table in COLUMNS}
    assert all(len(found) == 1 for found in before.values())
    words = ["set-controller", "s1", own(edge)]
    for kind, table in EXPORT_TABLES.items():
        words += ["--", "--id=@" + kind, "create", table, 'targets="198.51.100.1:1"', "--"]
        words += ["set", "Bridge", "s1", f"{kind}=@{kind}"]
    edge.ovs.vsctl(*words)
    await_drift(edge, lambda found: found["open_count"] == len(COLUMNS))
    edge.hang_up()  # in this mode, applying the policy repairs
    await_drift(edge, lambda found: found["open_count"] == 0)
    assert {table: rows(edge, table) for table in COLUMNS} == before
