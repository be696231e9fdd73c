"""A generated policy: the pools of the demo, and any number of tenants with mail and a web service each."""

from pathlib import Path

_DEMO = Path(__file__).parents[1] / "policies" / "demo.yaml"
FIRST_PORT = 100
_TENANT = """\
  t{n:05d}:
    prefixes: [10.{high}.{low}.0/24, "2001:db8:1{n:03x}::/48"]
    gateways:
      t{n:05d}-gw: {{at: s1:{port}, mac: {mac}, edge: [{edge}, "fd00:64:{n:x}::1"]}}
    mail: {{mode: {mode}, servers: [10.{high}.{low}.25, "2001:db8:1{n:03x}::25"]}}
    services:
      web: {{protocol: tcp, ports: [{web}], servers: [10.{high}.{low}.80, "2001:db8:1{n:03x}::80"]}}
"""
_MODES = ("proxy, proxies: proxies, scanners: scanners", "direct, scanners: scanners")


def policy_of(tenants: int, changed_port: int = 80) -> str:
    """Return the text of a policy. `changed_port`: the web port of the tenant in the middle."""
    demo = _DEMO.read_text(encoding="utf-8")
    before, pools = demo[: demo.index("tenants:")], demo[demo.index("pools:") :]
    rows = (_tenant(n, changed_port if n == tenants // 2 else 80) for n in range(tenants))
    return f"{before}tenants:\n{''.join(rows)}{pools}"


def _tenant(n: int, web: int) -> str:
    number = n + 1
    return _TENANT.format(
        n=number,
        high=number >> 8,
        low=number & 255,
        port=FIRST_PORT + n,
        mac=f"02:aa:00:00:{number >> 8:02x}:{number & 255:02x}",
        edge=f"100.{64 + (number >> 14)}.{number >> 6 & 255}.{(number & 63) * 4 + 1}",
        mode=_MODES[n % 2],
        web=web,
    )
