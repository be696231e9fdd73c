"""What each pool of gateways, responders and decoys needs to know of the policy, as the JSON they read. Pure.

The format is the contract with `services/mail/settings.py`, `services/responder/settings.py`,
`services/decoy/settings.py` and `services/antivirus/settings.py`, which share no code with
the controller: programs of different hosts and releases meet here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from controller.policy.model import Mail, MailMode, OnEmpty, Policy, Pool, PoolKind, ScanRule, Tenant
from controller.topology.homes import antivirus_of, decoys_of

FORMAT = 1
_SMTP_PORT = 25
_GATEWAY_ROLES = {PoolKind.MAIL_PROXY: "proxy", PoolKind.SCANNER: "scanner"}
_OWN_CLAMD = {"host": "127.0.0.1", "port": 3310}

Settings = dict[str, Any]
Shared = tuple[str, int]  # a pool's secret, in hex, and since when it has it, Unix seconds


def render_gateways(
    policy: Policy, revision: int, secret_of: Callable[[str], Shared]
) -> Mapping[str, Settings]:
    """Return the settings of every pool whose hosts answer for tenants' addresses, by pool name."""
    settings = {}
    for pool in policy.pools:
        if pool.kind is PoolKind.RESPONDER:
            settings[pool.name] = _render_responders(policy, pool, revision)
        elif pool.kind is PoolKind.DECOY:
            settings[pool.name] = _render_decoys(policy, pool, revision, secret_of(pool.name))
        elif pool.kind is PoolKind.ANTIVIRUS:
            settings[pool.name] = _render_antivirus(policy, pool, revision)
        elif role := _GATEWAY_ROLES.get(pool.kind):
            settings[pool.name] = _render_pool(policy, pool, role, revision)
    return settings


def _render_responders(policy: Policy, pool: Pool, revision: int) -> Settings:
    """Whoever is led to a responder is put off, but for those whose mail shall be refused."""
    return {
        "format": FORMAT,
        "revision": revision,
        "role": "responder",
        "pool": pool.name,
        "port": _SMTP_PORT,
        "transparent": True,
        "tenants": [
            {
                "name": tenant.name,
                "servers": [str(server) for server in tenant.mail.servers],
                "answer": "reject" if tenant.mail.on_empty is OnEmpty.REJECT else "tempfail",
            }
            for tenant in policy.tenants
            if tenant.mail
        ],
    }


def _render_antivirus(policy: Policy, pool: Pool, revision: int) -> Settings:
    """Who asks, as the servers see him, and which ring he is in."""
    tenants = [
        {
            "name": tenant.name,
            "kind": "tenant",
            "ring": tenant.antivirus.ring.value,
            "sources": [str(address) for address in tenant.antivirus.addresses],
        }
        for tenant in policy.tenants
        if tenant.antivirus and antivirus_of(policy, tenant) is pool
    ]
    scanners = [
        {
            "name": other.name,
            "kind": "pool",
            "ring": "all",
            "sources": [str(address) for member in other.members for address in member.addresses],
        }
        for other in policy.pools
        if other.kind is PoolKind.SCANNER
    ]
    return {
        "format": FORMAT,
        "revision": revision,
        "role": "antivirus",
        "pool": pool.name,
        "port": pool.port,
        "addresses": [str(address) for address in pool.vip],
        "immunity": pool.immunity.value,
        "clients": [*tenants, *scanners],
    }


def _render_decoys(policy: Policy, pool: Pool, revision: int, shared: Shared) -> Settings:
    """Whose hosts the decoys stand in for. How these look, personas say, and `shared`."""
    return {
        "format": FORMAT,
        "revision": revision,
        "role": "decoy",
        "pool": pool.name,
        "secret": shared[0],
        "since": shared[1],
        "tenants": [
            {"name": tenant.name, "prefixes": [str(prefix) for prefix in tenant.prefixes]}
            for tenant in policy.tenants
            if decoys_of(policy, tenant) is pool
        ],
    }


def _render_pool(policy: Policy, pool: Pool, role: str, revision: int) -> Settings:
    pool_by_name = {other.name: other for other in policy.pools}
    tenants = [
        _render_tenant(tenant, tenant.mail, pool_by_name, role)
        for tenant in policy.tenants
        if tenant.mail and _first_stop(tenant.mail) == pool.name
    ]
    return {
        "format": FORMAT,
        "revision": revision,
        "role": role,
        "pool": pool.name,
        "port": _SMTP_PORT,
        "tenants": tenants,
        "limits": {member.name: member.limit for member in pool.members if member.limit},
        "transparent": True,
        "trusted_sources_refused": _own_addresses(policy),
    }


def _first_stop(mail: Mail) -> str:
    return mail.proxies if mail.mode is MailMode.PROXY else mail.scanners


def _own_addresses(policy: Policy) -> list[str]:
    """Return the edge's own addresses: nobody sends mail from there."""
    own = {address for pool in policy.pools for address in (*pool.edge, *pool.vip)}
    own |= {address for pool in policy.pools for member in pool.members for address in member.addresses}
    return sorted(map(str, own))


def _render_tenant(tenant: Tenant, mail: Mail, pool_by_name: Mapping[str, Pool], role: str) -> Settings:
    scanners = pool_by_name[mail.scanners]
    asked = [{"host": str(vip), "port": scanners.port} for vip in scanners.vip]
    return {
        "name": tenant.name,
        "prefixes": [str(prefix) for prefix in tenant.prefixes],
        "servers": [str(server) for server in mail.servers],
        "server_port": _SMTP_PORT,
        "scan": [_render_scan_rule(rule) for rule in mail.scan] if role == "proxy" else [],
        "on_verdict": {
            "infected": mail.on_verdict.infected.value,
            "limits": mail.on_verdict.limits.value,
            "encrypted": mail.on_verdict.encrypted.value,
            "unavailable": mail.on_verdict.unavailable.value,
        },
        "scanners": asked if role == "proxy" else [_OWN_CLAMD],
        "tls": {
            "clients": mail.tls.clients.value,
            "server": mail.tls.server.value,
            "certificate": mail.tls.certificate,
            "key": mail.tls.key,
        },
        "message_limit_bytes": mail.message_limit_bytes,
        "bare_newlines": mail.bare_newlines.value,
        "nul_bytes": mail.nul_bytes.value,
    }


def _render_scan_rule(rule: ScanRule) -> Settings:
    return {
        "client": [str(network) for network in rule.client],
        "sender": list(rule.sender),
        "recipient": list(rule.recipient),
        "larger_than_bytes": rule.larger_than_bytes,
        "tls": rule.tls,
        "action": rule.action.value,
    }
