"""Where new mail of a tenant goes: to its first stop or, when that takes nobody, as `on_empty` says. Pure."""

from dataclasses import dataclass

from controller.compiler.network_state import Conditions
from controller.policy.model import Mail, MailMode, OnEmpty, Policy, Pool, PoolKind


@dataclass(frozen=True, slots=True)
class ToPool:
    """To the tenant's first stop, as always."""

    pool: Pool


@dataclass(frozen=True, slots=True)
class ToResponder:
    """To hosts that put it off, or refuse it, whichever the tenant wants."""

    pool: Pool


@dataclass(frozen=True, slots=True)
class Unscanned:
    """Straight to the tenant's own server."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nowhere: no responder takes sessions either."""


Way = ToPool | ToResponder | Unscanned | Unanswered


def way_of(policy: Policy, conditions: Conditions, mail: Mail) -> Way:
    """Return where new mail goes now.

    What passes by itself, that all are full or nobody is proved yet, puts mail off at
    most: load must never carry mail past the scanners, nor refuse it for good.
    """
    pool = first_stop(policy, mail)
    responders = _responders(policy, conditions)
    if pool.name in conditions.unready:
        is_final = mail.on_empty is not OnEmpty.TEMPFAIL
        return ToPool(pool) if is_final or responders is None else ToResponder(responders)
    if conditions.takes(pool):
        return ToPool(pool)
    if mail.on_empty is OnEmpty.BYPASS:
        return Unscanned()
    return ToResponder(responders) if responders else Unanswered()


def first_stop(policy: Policy, mail: Mail) -> Pool:
    """Return the pool that the switch hands a tenant's mail to."""
    name = mail.proxies if mail.mode is MailMode.PROXY else mail.scanners
    return next(pool for pool in policy.pools if pool.name == name)


def _responders(policy: Policy, conditions: Conditions) -> Pool | None:
    """Return the first pool of responders, by name, that takes sessions."""
    kind = PoolKind.RESPONDER
    return next((each for each in policy.pools if each.kind is kind and conditions.takes(each)), None)
