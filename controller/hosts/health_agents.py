"""What the agent beside a member of a pool shall look at, in the words that agents take. Pure.

The keys are the contract with `services/health_agent/settings.py`.
"""

from collections.abc import Iterator
from typing import Any

from controller.policy.model import MailMode, Policy, Pool, PoolKind

_SMTP_PORT = 25


def settings_for(policy: Policy, pool: Pool) -> dict[str, Any]:
    health = pool.health
    scanner = {
        "port": pool.port,
        "signatures_max_age_s": health.signatures_max_age_s,
        "canary_interval_s": health.canary_interval_s,
    }
    return {
        "interval_s": health.interval_s,
        "timeout_s": health.timeout_s,
        "checks": list(_checks(policy, pool)),
        "scanner": scanner if pool.kind is PoolKind.SCANNER else None,
    }


def _checks(policy: Policy, pool: Pool) -> Iterator[dict[str, Any]]:
    if _has_gateways(policy, pool):
        yield {"kind": "smtp", "port": _SMTP_PORT}
    if pool.kind is PoolKind.SCANNER:
        yield {"kind": "clamd", "port": pool.port}
    for page in pool.health.http:
        yield {"kind": "http", "port": page.port, "path": page.path, "status": page.status}
    for service in pool.health.tcp:
        yield {"kind": "tcp", "port": service.port, "banner": service.banner}


def _has_gateways(policy: Policy, pool: Pool) -> bool:
    """Say whether the members take mail: a scanner pool that only proxies ask needs no gateway."""
    mails = [tenant.mail for tenant in policy.tenants if tenant.mail and tenant.mail.mode is MailMode.DIRECT]
    answers_mail = pool.kind in (PoolKind.MAIL_PROXY, PoolKind.RESPONDER)
    return answers_mail or any(mail.scanners == pool.name for mail in mails)
