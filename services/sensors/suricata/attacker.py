"""Finds the attacker in an alert about a packet of a flow. Pure.

An alert's `src_ip` is the sender of the packet that matched, and rules match a server's reply as well as a
client's request. So the attacker is never the tenant's side. It is the other side only if that side began
the flow, or if the rule itself says so. A web page that a tenant's user opens is not an attacker.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.sensors.settings import Tenant

_LOWEST_CLIENT_PORT = 1024


@dataclass(frozen=True, slots=True)
class Attack:
    attacker: str
    attacked: str
    port: int  # of the attacked side
    tenant: str


@dataclass(frozen=True, slots=True)
class NoAttack:
    why: str


def find_attack(alert: Mapping[str, Any], owner: Callable[[str], Tenant | None]) -> Attack | NoAttack:
    """Return the attacker and the attacked host of an EVE alert."""
    source, destination = _side(alert, "src"), _side(alert, "dest")
    source_owner, destination_owner = owner(source[0]), owner(destination[0])
    if (source_owner is None) == (destination_owner is None):
        return NoAttack("inside" if source_owner else "not ours")
    if source_owner is None:
        outside, inside, tenant = source, destination, destination_owner
    else:
        outside, inside, tenant = destination, source, source_owner
    assert tenant is not None
    match _said_by_rule(alert, outside[0]):
        case True:
            is_attack = True
        case False:
            return NoAttack("the rule calls the outside the victim")
        case None:
            is_attack = _initiator(alert, source, destination) == outside[0] or _is_client_attacked(alert)
    if not is_attack:
        return NoAttack("begun by the tenant")
    return Attack(outside[0], inside[0], inside[1], tenant.name)


def _side(alert: Mapping[str, Any], side: str) -> tuple[str, int]:
    address, port = alert.get(f"{side}_ip"), alert.get(f"{side}_port", 0)
    is_port = isinstance(port, int) and not isinstance(port, bool) and 0 <= port <= 65_535
    return address if isinstance(address, str) else "", port if is_port else 0


def _record(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def _said_by_rule(alert: Mapping[str, Any], outside: str) -> bool | None:
    """A rule with the keyword `target` names attacker and victim: `alert.source` and `alert.target`."""
    details = _record(alert, "alert")
    if _record(details, "source").get("ip") == outside:
        return True
    if _record(details, "target").get("ip") == outside:
        return False
    return None


def _initiator(alert: Mapping[str, Any], source: tuple[str, int], destination: tuple[str, int]) -> str:
    """Return who began the flow: its own record, else the packet's direction, else the ports."""
    flow_source = _record(alert, "flow").get("src_ip")
    if flow_source in (source[0], destination[0]):
        return str(flow_source)
    match alert.get("direction"):
        case "to_server":
            return source[0]
        case "to_client":
            return destination[0]
    is_reply = source[1] < _LOWEST_CLIENT_PORT <= destination[1] and source[1] > 0
    return destination[0] if is_reply else source[0]


def _is_client_attacked(alert: Mapping[str, Any]) -> bool:
    """Rules state the target of an attack: a server that attacks clients did not begin the flow."""
    targets = _record(_record(alert, "alert"), "metadata").get("attack_target", [])
    return isinstance(targets, list) and "Client_Endpoint" in targets
