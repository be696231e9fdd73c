"""From fields to the model. Only records that are whole become objects; the rest has errors already."""

from math import ceil
from typing import Any

from common.config.reading import Fields
from controller.policy.model import (
    Antivirus,
    Attachment,
    Dark,
    HealthSource,
    HttpProbe,
    Level,
    Link,
    Mail,
    MailMode,
    MailTls,
    Member,
    OnVerdict,
    Policy,
    Pool,
    PoolHealth,
    PoolKind,
    Protocol,
    ScanRule,
    Service,
    Suspicion,
    Switch,
    TcpProbe,
    Tenant,
)

_PORTS = {PoolKind.SCANNER: 3310, PoolKind.ANTIVIRUS: 80}  # clamd's own default; HTTP
_HEALTH_TIMES = {
    "interval",
    "timeout",
    "silence",
    "slow_start",
    "hold_down",
    "signatures_max_age",
    "canary_interval",
}


def build_policy(top: Fields) -> Policy:
    """Return the policy of all records that are whole."""
    return Policy(
        switches=tuple(_switch(name, fields) for name, fields in _whole(top.get("switches"))),
        links=tuple(
            sorted({_link(fields) for fields in top.get("links", ())}, key=lambda link: (link.a, link.b))
        ),
        uplinks=_attachments(top.get("uplinks")),
        tenants=tuple(_tenant(name, fields) for name, fields in _complete_tenants(top)),
        pools=tuple(_pool(name, fields) for name, fields in _whole(top.get("pools"))),
        suspicion=_suspicion(top.get("suspicion")),
    )


def _suspicion(fields: Fields | None) -> Suspicion:
    if fields is None or not fields.is_whole:
        return Suspicion()
    caps, usual = _values(fields.get("caps")), Suspicion()
    return Suspicion(
        half_life_s=fields["half_life"],
        suspect=_level(fields.get("suspect"), usual.suspect),
        hostile=_level(fields.get("hostile"), usual.hostile),
        repeat=fields["repeat"],
        longest_s=fields["longest"],
        is_simulated=fields["simulate"],
        crowd=fields["crowd"],
        limit_per_s=fields["limit_per_second"],
        cap=caps.get("whole", usual.cap),
        cap_of_origin=caps.get("origin", usual.cap_of_origin),
        cap_of_tenant=caps.get("tenant", usual.cap_of_tenant),
        weights=_values(fields.get("weights")),
    )


def _level(fields: Fields | None, usual: Level) -> Level:
    if fields is None or not fields.is_whole:
        return usual
    return Level(fields["score"], fields["action"], fields["for"], fields["sessions"])


def _whole(records: dict[str, Fields] | None) -> list[tuple[str, Fields]]:
    return sorted((name, fields) for name, fields in (records or {}).items() if fields.is_whole)


def _complete_tenants(top: Fields) -> list[tuple[str, Fields]]:
    """Tenants that have at least prefixes and gateways, so that these can be checked."""
    tenants = (top.get("tenants") or {}).items()
    return sorted(
        (name, fields) for name, fields in tenants if {"prefixes", "gateways"} <= set(fields.values)
    )


def _switch(name: str, fields: Fields) -> Switch:
    dpid = fields["dpid"]
    default = (0x02_50_00_00_00_00 | (dpid & 0xFF_FF_FF_FF)).to_bytes(6).hex(":")
    return Switch(name, dpid, fields.get("mac", default))


def _link(fields: Fields) -> Link:
    a, b = sorted((fields["a"], fields["b"]))
    return Link(a, b)


def _attachments(records: dict[str, Fields] | None) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(name, fields["at"], fields["mac"], _addresses(fields["edge"]))
        for name, fields in _whole(records)
    )


def _addresses(addresses: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(addresses, key=lambda address: (address.version, address)))


def _tenant(name: str, fields: Fields) -> Tenant:
    mail, antivirus = fields.get("mail"), fields.get("antivirus")
    gateways = _attachments(fields["gateways"])
    return Tenant(
        name,
        tuple(sorted(fields["prefixes"], key=lambda p: (p.version, p))),
        gateways,
        fields.get("home", gateways[0].at.switch if gateways else ""),
        _mail(mail) if mail is not None and mail.is_whole else None,
        tuple(_service(service, record) for service, record in _whole(fields.get("services"))),
        fields.get("decoys", ""),
        fields.get("dark", Dark.DECOY),
        fields.get("limit_per_second", 0),
        fields.get("consent_to_learning", False),
        _antivirus(antivirus) if antivirus is not None and antivirus.is_whole else None,
    )


def _antivirus(fields: Fields) -> Antivirus:
    return Antivirus(
        fields.get("pool", ""),
        _addresses(fields["as"]),
        tuple(sorted(fields.get("clients", ()), key=lambda p: (p.version, p))),
        fields["ring"],
    )


def _service(name: str, fields: Fields) -> Service:
    protocol: Protocol = fields["protocol"]
    return Service(name, protocol, tuple(sorted(fields.get("ports", ()))), _addresses(fields["servers"]))


def _mail(fields: Fields) -> Mail:
    mode: MailMode = fields["mode"]
    return Mail(
        mode=mode,
        servers=_addresses(fields["servers"]),
        proxies=fields.get("proxies", ""),
        scanners=fields["scanners"],
        on_empty=fields["on_empty"],
        scan=tuple(_scan_rule(rule) for rule in fields.get("scan", ())),
        on_verdict=OnVerdict(**_values(fields.get("on_verdict"))),
        tls=_tls(fields.get("tls")),
        message_limit_bytes=fields["message_limit"],
        bare_newlines=fields["bare_newlines"],
        nul_bytes=fields["nul_bytes"],
    )


def _tls(fields: Fields | None) -> MailTls:
    """Return the defaults when any key is bad: a bad certificate was given all the same, with its key."""
    return MailTls(**fields.values) if fields and fields.is_whole else MailTls()


def _values(fields: Fields | None) -> dict[str, Any]:
    return fields.values if fields else {}


def _scan_rule(fields: Fields) -> ScanRule:
    conditions = _values(fields.get("if"))
    return ScanRule(
        fields["then"],
        tuple(conditions.get("client", ())),
        tuple(conditions.get("sender", ())),
        tuple(conditions.get("recipient", ())),
        conditions.get("larger_than", 0),
        conditions.get("tls"),
    )


def _pool(name: str, fields: Fields) -> Pool:
    kind: PoolKind = fields["kind"]
    return Pool(
        name,
        kind,
        tuple(
            _member(member, record, fields.get("limit", 0)) for member, record in _whole(fields["members"])
        ),
        _addresses(fields["edge"]),
        _addresses(fields.get("vip", [])),
        fields.get("port", _PORTS.get(kind, 0)),
        _health(fields["health"]),
        ceil(fields.get("affinity", 0)),
        fields["immunity"],
    )


def _health(word_or_record: HealthSource | Fields) -> PoolHealth:
    if isinstance(word_or_record, HealthSource):
        return PoolHealth(word_or_record)
    if not word_or_record.is_whole:
        return PoolHealth()
    values = dict(word_or_record.values)
    times = {f"{name}_s": values.pop(name) for name in _HEALTH_TIMES & values.keys()}
    return PoolHealth(
        http=tuple(HttpProbe(**probe.values) for probe in values.pop("http", ())),
        tcp=tuple(TcpProbe(**probe.values) for probe in values.pop("tcp", ())),
        **times,
        **values,
    )


def _member(name: str, fields: Fields, limit_of_pool: int) -> Member:
    return Member(
        name,
        fields["at"],
        fields["mac"],
        _addresses(fields["addresses"]),
        fields["weight"],
        fields.get("limit", limit_of_pool),
    )
