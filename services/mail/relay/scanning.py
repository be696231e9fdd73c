"""Decides whether to scan a message, and what follows from a verdict.

The decision uses only the envelope and the connection, never the content: a MIME
parser that finds no attachment proves nothing.
"""

from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from re import Pattern, compile

from services.base.clamd import Verdict, VerdictKind
from services.base.settings import Address
from services.mail.relay.outcome import RejectedByVerdict
from services.mail.settings import Disposition, Role, ScanAction, ScanRule, Tenant
from services.smtp import catalogue


@dataclass(slots=True)
class MailFacts:
    """What is known of a message without looking into it."""

    client: Address
    sender: str
    recipients: tuple[str, ...]
    size_bytes: int
    is_encrypted: bool


def must_scan(role: Role, tenant: Tenant, facts: MailFacts) -> bool:
    """Return what the first rule with all conditions true says. Without such a rule, scan."""
    if role is Role.SCANNER:
        return True
    for rule in tenant.scan:
        if _holds(rule, facts):
            return rule.action is not ScanAction.SKIP
    return True


def _holds(rule: ScanRule, facts: MailFacts) -> bool:
    if rule.client and not any(facts.client in network for network in rule.client):
        return False
    if rule.sender and not _matches(rule.sender, facts.sender):
        return False
    if rule.recipient and not all(_matches(rule.recipient, recipient) for recipient in facts.recipients):
        return False
    if facts.size_bytes <= rule.larger_than_bytes and rule.larger_than_bytes:
        return False
    return rule.tls is None or rule.tls == facts.is_encrypted


def _matches(patterns: tuple[str, ...], address: str) -> bool:
    return any(_pattern(pattern).fullmatch(address) for pattern in patterns)


@lru_cache(maxsize=4_096)
def _pattern(pattern: str) -> Pattern[str]:
    """Compile a pattern: `*` matches any part of an address; no other character is special."""
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return compile(translate(literal))


def disposition_of(tenant: Tenant, verdict: Verdict) -> Disposition | None:
    """Return what happens to the message; None: deliver it unchanged."""
    match verdict.kind:
        case VerdictKind.CLEAN:
            return None
        case VerdictKind.INFECTED:
            return tenant.on_verdict.infected
        case VerdictKind.LIMITS:
            return tenant.on_verdict.limits
        case VerdictKind.ENCRYPTED:
            return tenant.on_verdict.encrypted
        case VerdictKind.UNAVAILABLE:
            return tenant.on_verdict.unavailable


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message may be delivered. `tag`: value of our header line about the scan, if any."""

    tag: str = ""


def judge(tenant: Tenant, verdict: Verdict) -> Accepted | RejectedByVerdict:
    """Return what the tenant's policy says about a verdict."""
    kind = verdict.kind
    match disposition_of(tenant, verdict):
        case None:
            return Accepted()
        case Disposition.PASS_TAGGED:
            return Accepted(f"not-scanned reason={kind.value}")
        case Disposition.REJECT:
            if kind is VerdictKind.INFECTED:
                return RejectedByVerdict(catalogue.malware_found(verdict.detail), kind)
            return RejectedByVerdict(catalogue.refused_content(kind.value, verdict.detail), kind)
        case Disposition.TEMPFAIL:
            is_away = kind is VerdictKind.UNAVAILABLE
            return RejectedByVerdict(
                catalogue.NOT_SCANNED if is_away else catalogue.deferred_content(kind.value), kind
            )
