"""Checks of pools, of references to pools of decoys, and of the levels of suspicion."""

from common.config.report import ErrorReport
from controller.policy.checks.names import KnownNames, check_pool
from controller.policy.model import Policy, PoolKind

_WITH_VIP = (PoolKind.SCANNER, PoolKind.ANTIVIRUS)


def check_pools(policy: Policy, known: KnownNames, report: ErrorReport) -> None:
    for tenant in policy.tenants:
        if tenant.decoys:
            check_pool(f"tenants.{tenant.name}.decoys", tenant.decoys, PoolKind.DECOY, known, report)
    for pool in policy.pools:
        if pool.kind in _WITH_VIP and not pool.vip:
            message = f"is missing; a pool of kind {pool.kind} needs one"
            report.add(f"pools.{pool.name}.vip", message, "add `vip: [...]`")


def check_levels(policy: Policy, report: ErrorReport) -> None:
    levels = policy.suspicion
    if levels.hostile.score <= levels.suspect.score:
        remedy = f"use a score above {levels.suspect.score}"
        report.add("suspicion.hostile.score", "is not above that of `suspicion.suspect`", remedy)
