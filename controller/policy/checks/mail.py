"""Checks of mail and other services: pools of the right kinds, no way around the scanners."""

from common.config.report import ErrorReport
from controller.policy.checks.names import KnownNames, check_pool
from controller.policy.model import (
    Mail,
    MailMode,
    OnEmpty,
    Policy,
    PoolKind,
    Protocol,
    ScanAction,
    Service,
)

_SMTP_PORT = 25


def check_mail(policy: Policy, known: KnownNames, report: ErrorReport) -> None:
    for tenant in policy.tenants:
        for service in tenant.services:
            _check_service(f"tenants.{tenant.name}.services.{service.name}", service, report)
        if tenant.mail:
            _check_mail(f"tenants.{tenant.name}.mail", tenant.mail, known, report)


def _check_service(path: str, service: Service, report: ErrorReport) -> None:
    if service.protocol is Protocol.ICMP and service.ports:
        report.add(f"{path}.ports", "icmp has no ports", "remove `ports`")
    if service.protocol is not Protocol.ICMP and not service.ports:
        report.add(f"{path}.ports", "is missing", "list the ports: ports: [443]")
    if service.protocol is Protocol.TCP and _SMTP_PORT in service.ports:
        report.add(
            f"{path}.ports.{_SMTP_PORT}", "port 25 would bypass the scanners", "configure mail under `mail`"
        )


def _check_mail(path: str, mail: Mail, known: KnownNames, report: ErrorReport) -> None:
    check_pool(f"{path}.scanners", mail.scanners, PoolKind.SCANNER, known, report)
    if mail.mode is MailMode.PROXY:
        _check_proxies(path, mail, known, report)
    else:
        _check_direct(path, mail, report)
    _check_on_empty(f"{path}.on_empty", mail, known, report)
    _check_tls(f"{path}.tls", mail, report)


def _check_proxies(path: str, mail: Mail, known: KnownNames, report: ErrorReport) -> None:
    if mail.proxies:
        check_pool(f"{path}.proxies", mail.proxies, PoolKind.MAIL_PROXY, known, report)
    else:
        remedy = "name a pool of kind mail-proxy, or use mode direct"
        report.add(f"{path}.proxies", "is missing in mode proxy", remedy)


def _check_direct(path: str, mail: Mail, report: ErrorReport) -> None:
    if mail.proxies:
        report.add(f"{path}.proxies", "is not allowed in mode direct", "remove it, or use mode proxy")
    if any(rule.action is ScanAction.SKIP for rule in mail.scan):
        message = "mode direct scans every message, so rules are not allowed"
        report.add(f"{path}.scan", message, "remove it, or use mode proxy")


def _check_tls(path: str, mail: Mail, report: ErrorReport) -> None:
    if bool(mail.tls.certificate) != bool(mail.tls.key):
        given, lacking = ("certificate", "key") if mail.tls.certificate else ("key", "certificate")
        report.add(
            f"{path}.{given}", f"is given without `{lacking}`", f"add `{lacking}`, or remove `{given}`"
        )


def _check_on_empty(path: str, mail: Mail, known: KnownNames, report: ErrorReport) -> None:
    """`reject` needs a responder. Without one mail gets no answer, which is nearly as good for `tempfail`."""
    may_be_there = {PoolKind.RESPONDER, None} & set(known.pools.values())
    if mail.on_empty is OnEmpty.REJECT and not may_be_there:
        remedy = "add one under `pools`, or write tempfail"
        report.add(path, "there is no pool of kind responder to refuse mail", remedy)
