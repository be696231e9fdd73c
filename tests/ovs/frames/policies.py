"""The policies for random frames: the shipped ones, and variants that change how packets go."""

from dataclasses import dataclass, replace
from pathlib import Path

from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.policy.model import OnEmpty, Policy, PoolKind
from controller.policy.parse import read_policy

_SHIPPED = Path(__file__).parents[3] / "policies"


@dataclass(frozen=True, slots=True)
class Case:
    policy: Policy
    conditions: Conditions = ALL_IS_WELL

    @property
    def bypassed(self) -> frozenset[str]:
        """Return the tenants that take unscanned mail, because no member of their first stop takes any."""
        pools = {pool.name: pool for pool in self.policy.pools}
        return frozenset(
            tenant.name
            for tenant in self.policy.tenants
            if (mail := tenant.mail)
            and mail.on_empty is OnEmpty.BYPASS
            and not self.conditions.takes(pools[mail.proxies or mail.scanners])
        )


def shipped(name: str) -> Policy:
    return read_policy(_SHIPPED / f"{name}.yaml")


def sticky(policy: Policy) -> Policy:
    """Return a policy whose pools keep their clients."""
    return replace(policy, pools=tuple(replace(pool, affinity_s=60) for pool in policy.pools))


def _without_proxies(policy: Policy, on_empty: OnEmpty) -> Case:
    tenants = tuple(
        replace(each, mail=replace(each.mail, on_empty=on_empty)) if each.mail else each
        for each in policy.tenants
    )
    paths = [
        f"pools.{pool.name}.members.{member.name}"
        for pool in policy.pools
        if pool.kind is PoolKind.MAIL_PROXY
        for member in pool.members
    ]
    return Case(replace(policy, tenants=tenants), Conditions(shares=dict.fromkeys(paths, 0)))


def cases() -> dict[str, Case]:
    """Return all cases by name."""
    demo = shipped("demo")
    return {
        "demo": Case(demo),
        "ring": Case(shipped("ring")),
        "leafspine": Case(shipped("leafspine")),
        "minimal": Case(shipped("minimal")),
        "affinity": Case(sticky(demo)),
        "responder": _without_proxies(demo, OnEmpty.TEMPFAIL),
        "bypass": _without_proxies(demo, OnEmpty.BYPASS),
    }
