"""Open vSwitch: whether it runs, and whether the bridges of this edge are configured to keep their flows."""

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.doctor.finding import Finding
from controller.doctor.system import AS_ROOT, content_of, output_of
from controller.drift.bridge_record import ColumnValues, LimitedTable
from controller.drift.bridge_settings import (
    OPENFLOW,
    limited_tables,
    set_up_with_controller,
    setting_problem,
    wrong_settings,
)
from controller.drift.ovsdb import as_list, plain
from controller.ids import COOKIE_OWNER

_OLDEST = (2, 17)
_REFRESH_S = 6  # ovs-vswitchd writes the state of its connections every 5 s
_LABS_NAME = re.compile(r"s[1-9]\d*")
_PID_FILE = "/run/openvswitch/ovs-vswitchd.pid"
_DEFAULT_CONTROLLER = ("127.0.0.1", 6653)
Problem = tuple[str, str]  # what is wrong, and a remedy


@dataclass(frozen=True, slots=True)
class BridgeFacts:
    name: str
    datapath_type: str
    wrong_settings: ColumnValues
    limited_tables: tuple[LimitedTable, ...]
    has_controller: bool
    is_connected: bool
    has_mirror: bool
    ports_with_offload: tuple[str, ...]  # veth ports whose sender leaves checksums to hardware
    has_normal_flow: bool
    drops_invalid: bool  # a flow that drops what conntrack calls invalid


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    version: str  # empty: it does not run, or does not answer
    needs_root: bool  # it runs, but answers only root
    has_kernel_module: bool
    bridges: tuple[BridgeFacts, ...]  # those that Postern has marked or written flows on
    others: tuple[str, ...]
    controller_listens: bool


def look() -> SwitchFacts:
    text = output_of("ovs-vsctl", "--timeout=5", "get", "Open_vSwitch", ".", "ovs_version")
    bridges, others = _bridges() if text is not None else ((), ())
    return SwitchFacts(
        version=(text or "").strip().strip('"'),
        needs_root=text is None and os.geteuid() != 0 and _runs(),
        has_kernel_module=Path("/sys/module/openvswitch").exists(),
        bridges=bridges,
        others=others,
        controller_listens=_listens(),
    )


def _runs() -> bool:
    """Return whether the daemon is alive. Every user may see that, but only root may query the daemon."""
    pid = (content_of(_PID_FILE) or "").strip()
    return bool(pid) and Path("/proc", pid).exists()


def _listens() -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(_DEFAULT_CONTROLLER) == 0


def _bridges() -> tuple[tuple[BridgeFacts, ...], tuple[str, ...]]:
    ours, others = [], []
    controllers = _await_connections()
    for row in _rows("Bridge"):
        flows = output_of("ovs-ofctl", "-O", OPENFLOW, "dump-flows", row["name"])
        is_ours = "postern-lab" in row["external_ids"] or f"cookie=0x{COOKIE_OWNER:x}" in (flows or "")
        if is_ours:
            ours.append(_bridge(row, controllers, flows or ""))
        else:
            others.append(row["name"])
    return tuple(ours), tuple(others)


def _await_connections() -> dict[str, bool]:
    """Return by id which controllers are connected. The switch itself notices changes with a delay."""
    for _ in range(_REFRESH_S):
        controllers = {row["_uuid"]: bool(row["is_connected"]) for row in _rows("Controller")}
        if all(controllers.values()) or not _listens():
            break
        time.sleep(1)
    return controllers


def _rows(table: str) -> list[dict[str, Any]]:
    """Return the rows of a table, references and sets in plain Python (RFC 7047, 5.1)."""
    answer = json.loads(
        output_of("ovs-vsctl", "--timeout=5", "--format=json", "list", table) or '{"data": []}'
    )
    return [
        {head: plain(cell) for head, cell in zip(answer["headings"], row, strict=True)}
        for row in answer["data"]
    ]


def _bridge(row: dict[str, Any], controllers: dict[str, bool], flows: str) -> BridgeFacts:
    wanted = as_list(row["controller"])
    ports = (output_of("ovs-vsctl", "--timeout=5", "list-ports", row["name"]) or "").split()
    return BridgeFacts(
        name=row["name"],
        datapath_type=row["datapath_type"] or "system",
        wrong_settings=wrong_settings(row),
        limited_tables=_limited_tables(row),
        has_controller=bool(wanted),
        is_connected=any(controllers.get(each, False) for each in wanted),
        has_mirror=bool(as_list(row["mirrors"])),
        ports_with_offload=tuple(port for port in ports if _offloads(port)),
        has_normal_flow="actions=NORMAL" in flows,
        drops_invalid=drops_what_is_invalid(flows),
    )


def drops_what_is_invalid(flows: str) -> bool:
    """Return whether a flow that is not ours drops what conntrack calls invalid, in what `dump-flows` prints.

    Our own flows drop some invalid packets on purpose, such as fragments that were never a whole packet.
    """
    foreign = (line for line in flows.splitlines() if f"cookie={COOKIE_OWNER:#x}" not in line)
    return any(re.search(r"ct_state=[^ ,]*\+inv\S* actions=drop", line) for line in foreign)


def _limited_tables(row: dict[str, Any]) -> tuple[LimitedTable, ...]:
    if not (tables := row["flow_tables"]):
        return ()
    by_id = {each["_uuid"]: each for each in _rows("Flow_Table")}
    return limited_tables({int(number): by_id[each] for number, each in tables.items() if each in by_id})


def _offloads(port: str) -> bool:
    if "driver: veth" not in (output_of("ethtool", "-i", port) or ""):
        return False
    return "tx-checksumming: on" in (output_of("ethtool", "-k", port) or "")


def judge(facts: SwitchFacts) -> Iterator[Finding]:
    if facts.needs_root:
        yield Finding("Open vSwitch", f"running; only root can check its bridges: {AS_ROOT}")
        return
    if not facts.version:
        yield Finding("Open vSwitch", "not running", "make setup, or: systemctl start openvswitch-switch")
        return
    number = tuple(int(part) for part in re.findall(r"\d+", facts.version)[:2])
    is_old = number < _OLDEST
    yield Finding("Open vSwitch", facts.version, "2.17 or later is needed" if is_old else "")
    for bridge in facts.bridges:
        yield from _judge_bridge(bridge, facts.has_kernel_module)
    if not facts.bridges:
        yield Finding("bridges", "no bridge of this edge exists; `postern lab up demo` creates one")
    if facts.others:
        yield _judge_others(facts.others)
    if any(bridge.has_controller for bridge in facts.bridges) and not facts.controller_listens:
        where = "{}:{}".format(*_DEFAULT_CONTROLLER)
        yield Finding(
            "controller",
            f"no controller listens at {where}; existing flows stay",
            "POSTERN_POLICY=policies/demo.yaml ryu-manager --ofp-listen-host 127.0.0.1 apps/edge.py",
        )


def _judge_others(names: tuple[str, ...]) -> Finding:
    """Report bridges that are not ours; the lab's own are named s1, s2 and so on."""
    fact = f"{' '.join(names)}: not Postern's, and never changed"
    if not (taken := [name for name in names if _LABS_NAME.fullmatch(name)]):
        return Finding("other bridges", fact)
    remedy = f"if it is not needed: ovs-vsctl del-br {taken[0]}"
    return Finding(
        "other bridges", fact, remedy, f"the lab, which needs the name {taken[0]} for a bridge of its own"
    )


def _judge_bridge(bridge: BridgeFacts, has_kernel_module: bool) -> Iterator[Finding]:
    subject = f"bridge {bridge.name}"
    problems = [
        *_configuration_problems(bridge, has_kernel_module),
        *_controller_problems(bridge),
        *_flow_problems(bridge),
        *_offload_problems(bridge),
    ]
    found = [Finding(subject, fact, remedy) for fact, remedy in problems]
    yield from found or [Finding(subject, f"{bridge.datapath_type}, secure, {OPENFLOW}, connected")]


def _configuration_problems(bridge: BridgeFacts, has_kernel_module: bool) -> Iterator[Problem]:
    change = f"ovs-vsctl set bridge {bridge.name}"
    if bridge.datapath_type == "system" and not has_kernel_module:
        fact = "needs the kernel's datapath, and this kernel has no openvswitch module"
        yield fact, f"{change} datapath_type=netdev"
    for column, value in bridge.wrong_settings:
        yield setting_problem(bridge.name, column, value)
    for table in bridge.limited_tables:
        remove = f"ovs-vsctl remove bridge {bridge.name} flow_tables {table.number}"
        yield f"{table}: flows are refused or removed", remove
    if bridge.has_mirror:
        yield (
            "has a mirror, which copies packets to another port",
            f"ovs-vsctl clear bridge {bridge.name} mirrors",
        )


def _controller_problems(bridge: BridgeFacts) -> Iterator[Problem]:
    if not bridge.has_controller:
        fact = "has no controller; adding the first one, or deleting the last, flushes all flows"
        target = "tcp:{}:{}".format(*_DEFAULT_CONTROLLER)
        yield fact, f"{set_up_with_controller(bridge.name, target)}, before there is traffic"
    elif not bridge.is_connected:
        fact = "is not connected to its controller; its flows still work, but edits do not reach it"
        yield fact, f"start the controller; ovs-vsctl get-controller {bridge.name} shows its address"


def _flow_problems(bridge: BridgeFacts) -> Iterator[Problem]:
    """Flows that are not ours, and undo what ours do."""
    if bridge.has_normal_flow:
        fact = "has a flow with NORMAL: packets can take paths that the policy does not allow"
        remove = f"ovs-ofctl -O {OPENFLOW} --strict del-flows {bridge.name} FLOW"
        yield fact, f"find out what added it; {remove}"
    if bridge.drops_invalid:
        fact = "drops packets that conntrack considers invalid: clients that reuse a port will stall"
        yield fact, "remove that flow: a new SYN on an old port counts as invalid"


def _offload_problems(bridge: BridgeFacts) -> Iterator[Problem]:
    if ports := bridge.ports_with_offload:
        fact = f"checksums are left to hardware that does not exist, on {' '.join(ports)}: "
        remedy = "; ".join(f"ethtool -K {port} tx off" for port in ports)
        yield f"{fact}ping works and TCP hangs", remedy
