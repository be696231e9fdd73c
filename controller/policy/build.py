"""From fields to the model. Only complete records become objects; the others already have errors.

Most types are built as the grammar says; here are those that need more.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, TypeVar

from common.config.building import arguments, build
from common.config.reading import Fields
from controller.policy.model import (
    DriftMode,
    HealthSource,
    Link,
    Member,
    Policy,
    Pool,
    PoolHealth,
    PoolKind,
    PortRef,
    ScanAction,
    ScanRule,
    Suspicion,
    Switch,
    Tenant,
)

T = TypeVar("T")
_PORTS = {PoolKind.SCANNER: 3310, PoolKind.ANTIVIRUS: 80}  # clamd's own default; HTTP


def build_policy(top: Fields) -> Policy:
    """Return the policy of all complete records."""
    tenants: dict[str, Fields] = top.get("tenants", {})
    suspicion = top.get("suspicion")
    return Policy(
        switches=by_name(build(top.get("switches", {}))),
        links=tuple(sorted(set(build(top.get("links", ()))), key=lambda link: (link.a, link.b))),
        uplinks=by_name(build(top.get("uplinks", {}))),
        tenants=tuple(
            _tenant(fields) for _, fields in sorted(tenants.items()) if fields.has("prefixes", "gateways")
        ),
        pools=by_name(build(top.get("pools", {}))),
        suspicion=build(suspicion) if suspicion and suspicion.is_whole else Suspicion(),
        drift=top.get("drift", DriftMode.REPAIR),
    )


def by_name(records: Mapping[str, T]) -> tuple[T, ...]:
    return tuple(record for _, record in sorted(records.items()))


def switch(name: str, dpid: int, mac: str = "") -> Switch:
    default = (0x02_50_00_00_00_00 | (dpid & 0xFF_FF_FF_FF)).to_bytes(6).hex(":")
    return Switch(name, dpid, mac or default)


def link(a: PortRef, b: PortRef) -> Link:
    return Link(*sorted((a, b)))


def scan_rule(action: ScanAction, conditions: Mapping[str, Any] | None = None) -> ScanRule:
    return ScanRule(action, **(conditions or {}))


def pool(members: Mapping[str, Member], limit: int = 0, affinity_s: float = 0, **values: Any) -> Pool:
    health = values.pop("health", HealthSource.NONE)
    return Pool(
        members=tuple(replace(member, limit=member.limit or limit) for member in by_name(members)),
        health=PoolHealth(health) if isinstance(health, HealthSource) else health,
        affinity_s=ceil(affinity_s),
        **{"port": _PORTS.get(values["kind"], 0), **values},
    )


def suspicion(caps: Mapping[str, Any] | None = None, **values: Any) -> Suspicion:
    return Suspicion(**values, **(caps or {}))


def _tenant(fields: Fields) -> Tenant:
    """Return a tenant that has at least prefixes and gateways, so that these can be checked."""
    values = arguments(fields)
    gateways = by_name(values.pop("gateways"))
    home = values.pop("home", gateways[0].at.switch if gateways else "")
    services = by_name(values.pop("services", {}))
    return Tenant(gateways=gateways, home=home, services=services, **values)
