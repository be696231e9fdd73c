"""What the health agent of a pool member must check. Pure."""

from collections.abc import Iterator

from common.wire.health import (
    AgentSettings,
    Check,
    CheckTimes,
    ClamdCheck,
    ScannerCheck,
    ScannerRules,
    SmtpCheck,
)
from controller.hosts.render import shared
from controller.policy.model import MailMode, Policy, Pool, PoolKind

_SMTP_PORT = 25


def settings_for(policy: Policy, pool: Pool) -> AgentSettings:
    is_scanner = pool.kind is PoolKind.SCANNER
    return AgentSettings(
        checks=tuple(_checks(policy, pool)),
        scanner=ScannerCheck(port=pool.port, **shared(pool.health, ScannerRules)) if is_scanner else None,
        **shared(pool.health, CheckTimes),
    )


def _checks(policy: Policy, pool: Pool) -> Iterator[Check]:
    if _has_gateways(policy, pool):
        yield SmtpCheck(_SMTP_PORT)
    if pool.kind is PoolKind.SCANNER:
        yield ClamdCheck(pool.port)
    yield from pool.health.http
    yield from pool.health.tcp


def _has_gateways(policy: Policy, pool: Pool) -> bool:
    """Return whether the members take mail: a scanner pool that only proxies use needs no gateway."""
    mails = [tenant.mail for tenant in policy.tenants if tenant.mail and tenant.mail.mode is MailMode.DIRECT]
    answers_mail = pool.kind in (PoolKind.MAIL_PROXY, PoolKind.RESPONDER)
    return answers_mail or any(mail.scanners == pool.name for mail in mails)
