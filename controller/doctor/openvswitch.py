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
from controller.ids import COOKIE_OWNER

_OLDEST = (2, 17)
_OPENFLOW = "OpenFlow14"
_REFRESH_S = 6  # ovs-vswitchd writes the state of its connections every 5 s
_LABS_NAME = re.compile(r"s[1-9]\d*")
_PID_FILE = "/run/openvswitch/ovs-vswitchd.pid"
_DEFAULT_CONTROLLER = ("127.0.0.1", 6653)
Problem = tuple[str, str]  # what is wrong, and a remedy


@dataclass(frozen=True, slots=True)
class BridgeFacts:
    name: str
    datapath_type: str
    fail_mode: str
    protocols: tuple[str, ...]
    has_controller: bool
    is_connected: bool
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
        flows = output_of("ovs-ofctl", "-O", _OPENFLOW, "dump-flows", row["name"])
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
        {head: _plain(cell) for head, cell in zip(answer["headings"], row, strict=True)}
        for row in answer["data"]
    ]


def _plain(cell: Any) -> Any:
    if isinstance(cell, list) and len(cell) == 2:
        kind, content = cell
        if kind == "set":
            return [_plain(each) for each in content]
        if kind == "map":
            return dict(content)
        if kind == "uuid":
            return content
    return cell


def _bridge(row: dict[str, Any], controllers: dict[str, bool], flows: str) -> BridgeFacts:
    wanted = row["controller"] if isinstance(row["controller"], list) else [row["controller"]]
    ports = (output_of("ovs-vsctl", "--timeout=5", "list-ports", row["name"]) or "").split()
    protocols = row["protocols"] if isinstance(row["protocols"], list) else [row["protocols"]]
    return BridgeFacts(
        name=row["name"],
        datapath_type=row["datapath_type"] or "system",
        fail_mode=row["fail_mode"] or "standalone",
        protocols=tuple(protocols),
        has_controller=bool(wanted),
        is_connected=any(controllers.get(each, False) for each in wanted),
        ports_with_offload=tuple(port for port in ports if _offloads(port)),
        has_normal_flow="actions=NORMAL" in flows,
        drops_invalid=bool(re.search(r"ct_state=[^ ,]*\+inv\S* actions=drop", flows)),
    )


def _offloads(port: str) -> bool:
    if content_of(f"/sys/class/net/{port}/iflink") == content_of(f"/sys/class/net/{port}/ifindex"):
        return False  # not half of a veth pair
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
    yield from found or [Finding(subject, f"{bridge.datapath_type}, secure, {_OPENFLOW}, connected")]


def _configuration_problems(bridge: BridgeFacts, has_kernel_module: bool) -> Iterator[Problem]:
    change = f"ovs-vsctl set bridge {bridge.name}"
    if bridge.datapath_type == "system" and not has_kernel_module:
        fact = "needs the kernel's datapath, and this kernel has no openvswitch module"
        yield fact, f"{change} datapath_type=netdev"
    if bridge.fail_mode != "secure":
        fact = f"fail_mode is {bridge.fail_mode}: a hidden flow forwards everything without a controller"
        yield fact, f"ovs-vsctl set-fail-mode {bridge.name} secure"
    if bridge.protocols and _OPENFLOW not in bridge.protocols:
        fact = f"speaks {' '.join(bridge.protocols)}, but the flows need {_OPENFLOW}"
        yield fact, f"{change} protocols={_OPENFLOW}"


def _controller_problems(bridge: BridgeFacts) -> Iterator[Problem]:
    if not bridge.has_controller:
        fact = "has no controller; adding the first one, or deleting the last, flushes all flows"
        yield fact, f"ovs-vsctl set-controller {bridge.name} tcp:127.0.0.1:6653, before there is traffic"
    elif not bridge.is_connected:
        fact = "is not connected to its controller; its flows still work, but edits do not reach it"
        yield fact, f"start the controller; ovs-vsctl get-controller {bridge.name} shows its address"


def _flow_problems(bridge: BridgeFacts) -> Iterator[Problem]:
    """Flows that are not ours, and undo what ours do."""
    if bridge.has_normal_flow:
        fact = "has a flow with NORMAL: packets can take paths that the policy does not allow"
        remove = f"ovs-ofctl -O {_OPENFLOW} --strict del-flows {bridge.name} FLOW"
        yield fact, f"find out what added it; {remove}"
    if bridge.drops_invalid:
        fact = "drops packets that conntrack considers invalid: clients that reuse a port will stall"
        yield fact, "remove that flow: a new SYN on an old port counts as invalid"


def _offload_problems(bridge: BridgeFacts) -> Iterator[Problem]:
    if ports := bridge.ports_with_offload:
        fact = f"checksums are left to hardware that does not exist, on {' '.join(ports)}: "
        remedy = "; ".join(f"ethtool -K {port} tx off" for port in ports)
        yield f"{fact}ping works and TCP hangs", remedy
