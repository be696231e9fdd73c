"""Where new mail goes: to the tenant's first stop or, if that takes none, as `on_empty` says. Pure."""

from dataclasses import dataclass

from controller.compiler.network_state import Conditions
from controller.policy.model import Mail, MailMode, OnEmpty, Policy, Pool, PoolKind


@dataclass(frozen=True, slots=True)
class ToPool:
    """To the tenant's first stop, as usual."""

    pool: Pool


@dataclass(frozen=True, slots=True)
class ToResponder:
    """To hosts that defer it or reject it, as the tenant chose."""

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

    In a temporary state (all members are full, or none is proved healthy yet) mail is at
    most deferred: load must never let mail bypass the scanners, nor reject it permanently.
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
    """Return the pool that the switch sends a tenant's mail to."""
    name = mail.proxies if mail.mode is MailMode.PROXY else mail.scanners
    return next(pool for pool in policy.pools if pool.name == name)


def _responders(policy: Policy, conditions: Conditions) -> Pool | None:
    """Return the first pool of responders, by name, that takes sessions."""
    kind = PoolKind.RESPONDER
    return next((each for each in policy.pools if each.kind is kind and conditions.takes(each)), None)
