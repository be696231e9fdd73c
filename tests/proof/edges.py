"""Edges with many tenants: dual stack, mail in both modes, a web service each, and anti-virus clients."""

import json

from controller.proof.model import NetworkState
from tests.proof.networks import network_from


def _members(name: str, mac: str, count: int, port: int) -> dict[str, object]:
    return {
        f"{name}{number}": {
            "at": f"s1:{port + number}",
            "mac": f"02:{mac}:00:00:00:{number:02x}",
            "addresses": [f"192.0.2.{10 + port + number}", f"2001:db8:e::{port + number:x}"],
        }
        for number in range(1, count + 1)
    }


def _pool(kind: str, mac: str, count: int, port: int, **more: object) -> dict[str, object]:
    name = kind.rpartition("-")[2]
    edge = ["192.0.2.1", "2001:db8:e::1"]
    return {"kind": kind, "edge": edge, "members": _members(name, mac, count, port), **more}


def _tenant(number: int) -> dict[str, object]:
    high, low = divmod(number, 256)
    v4, v6 = f"20.{high}.{low}", f"2001:db9:{number:x}"
    mail: dict[str, object] = {"scanners": "scanners", "servers": [f"{v4}.10", f"{v6}::10"]}
    mail |= {"mode": "direct"} if number % 3 == 2 else {"mode": "proxy", "proxies": "proxies"}
    gateway = {
        "at": f"s1:{100 + number}",
        "mac": f"02:aa:00:00:{high:02x}:{low:02x}",
        "edge": [f"100.{65 + high // 64}.{low}.{high % 64 + 1}", f"2001:db8:64:{number + 1:x}::1"],
    }
    web = {"protocol": "tcp", "ports": [443], "servers": [f"{v4}.20", f"{v6}::20"]}
    return {
        "prefixes": [f"{v4}.0/24", f"{v6}::/48"],
        "gateways": {"gw": gateway},
        "mail": mail,
        "services": {"web": web},
        "antivirus": {"as": [f"21.{high}.{low}.1", f"2001:dba:{number:x}::1"], "clients": ["10.0.0.0/24"]},
    }


def policy_text(tenants: int) -> str:
    uplink = {"at": "s1:1", "mac": "02:bb:00:00:00:01", "edge": ["100.64.0.1", "2001:db8:64::1"]}
    data = {
        "postern": 1,
        "switches": {"s1": {"dpid": 1}},
        "uplinks": {"backbone": uplink},
        "tenants": {f"t{number:05}": _tenant(number) for number in range(tenants)},
        "pools": {
            "proxies": _pool("mail-proxy", "cc", 2, 10),
            "scanners": _pool("scanner", "dd", 2, 20, vip=["192.0.2.100", "2001:db8:e::100"]),
            "responders": _pool("responder", "ff", 1, 30),
            "decoys": _pool("decoy", "ee", 1, 40),
            "antivirus": _pool("antivirus", "ab", 2, 50, vip=["192.0.2.120", "2001:db8:e::120"]),
        },
    }
    return json.dumps(data)


def many_tenants(tenants: int) -> NetworkState:
    """Return an edge with some tenants, and what its switch holds."""
    return network_from(policy_text(tenants))
