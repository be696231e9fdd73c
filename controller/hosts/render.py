"""Builds, for each pool, the records of the policy that its hosts need. Pure.

The records are declared in `common.wire`, which the programs on hosts also use to read them.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from common.wire.antivirus import AntivirusSettings, ClientKind, Ring, SignatureClient
from common.wire.decoy import DecoySettings, DecoyTenant
from common.wire.mail import GatewayRole, MailRules, MailSettings, MailTenant, ScannerAddress
from common.wire.responder import Answer, ResponderSettings, ResponderTenant
from common.wire.values import Address
from controller.policy.model import Mail, MailMode, OnEmpty, Policy, Pool, PoolKind, Tenant
from controller.topology.homes import antivirus_of, decoys_of

_SMTP_PORT = 25
_GATEWAY_ROLES = {PoolKind.MAIL_PROXY: GatewayRole.PROXY, PoolKind.SCANNER: GatewayRole.SCANNER}
_OWN_CLAMD = ScannerAddress("127.0.0.1", 3310)

Settings = MailSettings | ResponderSettings | DecoySettings | AntivirusSettings
Shared = tuple[str, int]  # a pool's secret, in hex, and since when, in Unix seconds


def render_gateways(
    policy: Policy, revision: int, secret_of: Callable[[str], Shared]
) -> Mapping[str, Settings]:
    """Return the settings of every pool whose hosts answer for tenants' addresses, by pool name."""
    settings: dict[str, Settings] = {}
    for pool in policy.pools:
        if pool.kind is PoolKind.RESPONDER:
            settings[pool.name] = _responder_settings(policy, pool, revision)
        elif pool.kind is PoolKind.DECOY:
            settings[pool.name] = _decoy_settings(policy, pool, revision, secret_of(pool.name))
        elif pool.kind is PoolKind.ANTIVIRUS:
            settings[pool.name] = _antivirus_settings(policy, pool, revision)
        elif role := _GATEWAY_ROLES.get(pool.kind):
            settings[pool.name] = _mail_settings(policy, pool, role, revision)
    return settings


def shared(record: object, kind: type) -> dict[str, Any]:
    """Return the values of a policy record that hosts get unchanged: the fields of `kind`."""
    return {each.name: getattr(record, each.name) for each in fields(kind)}


def _responder_settings(policy: Policy, pool: Pool, revision: int) -> ResponderSettings:
    """Mail that reaches a responder is deferred, or rejected if the tenant chose that."""
    tenants = (
        ResponderTenant(
            name=tenant.name,
            servers=tenant.mail.servers,
            answer=Answer.REJECT if tenant.mail.on_empty is OnEmpty.REJECT else Answer.TEMPFAIL,
        )
        for tenant in policy.tenants
        if tenant.mail
    )
    return ResponderSettings(
        revision=revision, role="responder", pool=pool.name, port=_SMTP_PORT, tenants=tuple(tenants)
    )


def _antivirus_settings(policy: Policy, pool: Pool, revision: int) -> AntivirusSettings:
    """Return each asker with the addresses that the servers see, and its ring."""
    tenants = tuple(
        SignatureClient(
            name=tenant.name,
            kind=ClientKind.TENANT,
            ring=tenant.antivirus.ring,
            sources=tenant.antivirus.addresses,
        )
        for tenant in policy.tenants
        if tenant.antivirus and antivirus_of(policy, tenant) is pool
    )
    scanners = tuple(
        SignatureClient(
            name=other.name,
            kind=ClientKind.POOL,
            ring=Ring.ALL,
            sources=tuple(address for member in other.members for address in member.addresses),
        )
        for other in policy.pools
        if other.kind is PoolKind.SCANNER
    )
    return AntivirusSettings(
        revision=revision,
        role="antivirus",
        pool=pool.name,
        port=pool.port,
        addresses=pool.vip,
        immunity=pool.immunity,
        clients=tenants + scanners,
    )


def _decoy_settings(policy: Policy, pool: Pool, revision: int, own: Shared) -> DecoySettings:
    """The tenants that decoys stand in for. Personas and the pool's secret decide how decoys look."""
    tenants = tuple(
        DecoyTenant(name=tenant.name, prefixes=tenant.prefixes)
        for tenant in policy.tenants
        if decoys_of(policy, tenant) is pool
    )
    secret, since = own
    return DecoySettings(revision=revision, pool=pool.name, secret=secret, since=since, tenants=tenants)


def _mail_settings(policy: Policy, pool: Pool, role: GatewayRole, revision: int) -> MailSettings:
    tenants = (
        _mail_tenant(policy, tenant, tenant.mail, role)
        for tenant in policy.tenants
        if tenant.mail and _first_stop(tenant.mail) == pool.name
    )
    return MailSettings(
        revision=revision,
        role=role,
        pool=pool.name,
        port=_SMTP_PORT,
        tenants=tuple(tenants),
        limits={member.name: member.limit for member in pool.members if member.limit},
        trusted_sources_refused=_own_addresses(policy),
    )


def _first_stop(mail: Mail) -> str:
    return mail.proxies if mail.mode is MailMode.PROXY else mail.scanners


def _own_addresses(policy: Policy) -> frozenset[Address]:
    """Return the edge's own addresses: no client sends mail from there."""
    own = {address for pool in policy.pools for address in (*pool.edge, *pool.vip)}
    return frozenset(
        own | {address for pool in policy.pools for member in pool.members for address in member.addresses}
    )


def _mail_tenant(policy: Policy, tenant: Tenant, mail: Mail, role: GatewayRole) -> MailTenant:
    """A scanner's own gateway scans everything, in the clamd beside it."""
    (scanners,) = (pool for pool in policy.pools if pool.name == mail.scanners)
    rules = shared(mail, MailRules)
    if role is GatewayRole.SCANNER:
        rules["scan"] = ()
    asked = tuple(ScannerAddress(str(vip), scanners.port) for vip in scanners.vip)
    return MailTenant(
        name=tenant.name,
        prefixes=tenant.prefixes,
        servers=mail.servers,
        server_port=_SMTP_PORT,
        scanners=asked if role is GatewayRole.PROXY else (_OWN_CLAMD,),
        **rules,
    )
