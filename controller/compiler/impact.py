"""Pools that take no new sessions, and the effect on tenants' mail, in words. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from controller.compiler.mail_path import ToPool, ToResponder, Unanswered, Unscanned, first_stop, way_of
from controller.compiler.network_state import Conditions
from controller.policy.model import Disposition, Mail, OnEmpty, Policy, Pool

_MOST_NAMED = 5


class Why(StrEnum):
    EMPTY = "EMPTY"  # no member takes new sessions
    FULL = "FULL"  # all members that could are at their limits
    JOINING = "JOINING"  # no member is proved healthy yet


@dataclass(frozen=True, slots=True)
class Consequence:
    """`becomes` is the predicate of "acme's mail"; `because` is the tenants' own choice."""

    becomes: str
    because: str
    tenants: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(f"{name}'s" for name in self.tenants[:_MOST_NAMED])
        more = len(self.tenants) - _MOST_NAMED
        whose = f"{named} and {more} other tenants'" if more > 0 else named
        return f"{whose} mail {self.becomes} ({self.because})"


@dataclass(frozen=True, slots=True)
class Trouble:
    pool: str
    why: Why
    consequences: tuple[Consequence, ...]

    @property
    def lines(self) -> list[str]:
        """The texts for operators: a line for each consequence."""
        return [f"{self.why}: {each}" for each in self.consequences] or [f"{self.why}: no mail is affected"]


def troubles_of(policy: Policy, conditions: Conditions) -> tuple[Trouble, ...]:
    """Return what is wrong now, in the policy's order of pools."""
    found = []
    for pool in policy.pools:
        takes = conditions.takes(pool)
        if pool.name in conditions.unready:
            why = Why.FULL if takes else Why.JOINING
        elif takes:
            continue
        else:
            why = Why.EMPTY
        found.append(Trouble(pool.name, why, tuple(_consequences(policy, conditions, pool, why))))
    return tuple(found)


def _consequences(policy: Policy, conditions: Conditions, pool: Pool, why: Why) -> Iterator[Consequence]:
    tenants_by_fate: dict[tuple[str, str], list[str]] = defaultdict(list)
    for tenant in policy.tenants:
        if tenant.mail is None:
            continue
        if first_stop(policy, tenant.mail) is pool:
            tenants_by_fate[_of_new_mail(policy, conditions, tenant.mail, why)].append(tenant.name)
        elif tenant.mail.scanners == pool.name and why is not Why.FULL:
            tenants_by_fate[_of_unscanned(tenant.mail)].append(tenant.name)
    for (becomes, because), names in tenants_by_fate.items():
        yield Consequence(becomes, because, tuple(names))


def _of_new_mail(policy: Policy, conditions: Conditions, mail: Mail, why: Why) -> tuple[str, str]:
    choice = f"on_empty: {mail.on_empty}"
    match way_of(policy, conditions, mail):
        case ToPool():
            if why is Why.FULL:
                return "goes to full members, which defer excess sessions with 421", choice
            return "waits until a member is known to be healthy", choice
        case ToResponder():
            if mail.on_empty is OnEmpty.REJECT:
                return "is REJECTED PERMANENTLY by a responder", choice
            return "is deferred by a responder, senders retry", choice
        case Unscanned():
            return "is delivered UNSCANNED", choice
        case Unanswered():
            return "gets NO REPLY, because no responder takes sessions", choice


def _of_unscanned(mail: Mail) -> tuple[str, str]:
    """Proxies still take mail, but no scanner can scan it."""
    choice = f"on_verdict.unavailable: {mail.on_verdict.unavailable}"
    if mail.on_verdict.unavailable is Disposition.PASS_TAGGED:
        return "is delivered UNSCANNED, with a tag", choice
    return "is deferred where it must be scanned", choice
