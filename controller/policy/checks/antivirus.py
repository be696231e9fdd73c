"""Checks of how intranets reach the anti-virus servers."""

from collections.abc import Iterator

from common.config.report import ErrorReport
from controller.policy.checks.names import KnownNames, check_pool
from controller.policy.model import Address, Antivirus, Policy, Pool, PoolKind


def check_antivirus(policy: Policy, known: KnownNames, report: ErrorReport) -> None:
    for path, antivirus in _all(policy):
        _check_pool(path, antivirus, policy, known, report)
        _check_families(path, antivirus, report)
    for pool in policy.pools:
        if pool.kind is not PoolKind.ANTIVIRUS and f"pools.{pool.name}.immunity" in report.places:
            report.add(
                f"pools.{pool.name}.immunity", "only pools of kind antivirus provide signatures", "remove it"
            )


def _all(policy: Policy) -> Iterator[tuple[str, Antivirus]]:
    for tenant in policy.tenants:
        if tenant.antivirus:
            yield f"tenants.{tenant.name}.antivirus", tenant.antivirus


def _check_pool(
    path: str, antivirus: Antivirus, policy: Policy, known: KnownNames, report: ErrorReport
) -> None:
    if antivirus.pool:
        check_pool(f"{path}.pool", antivirus.pool, PoolKind.ANTIVIRUS, known, report)
    elif not {PoolKind.ANTIVIRUS, None} & set(known.pools.values()):
        report.add(path, "there is no pool of kind antivirus", "add one under `pools`")
    pool = next((each for each in policy.pools if _is_meant(each, antivirus)), None)
    if pool is None or not pool.vip:
        return
    for address in antivirus.addresses:
        if all(vip.version != address.version for vip in pool.vip):
            report.add(
                f"{path}.as.{address}",
                f"pool {pool.name} has no IPv{address.version} address that clients could reach",
                f"add one under `pools.{pool.name}.vip`, or remove this one",
            )


def _is_meant(pool: Pool, antivirus: Antivirus) -> bool:
    return pool.kind is PoolKind.ANTIVIRUS and antivirus.pool in ("", pool.name)


def _check_families(path: str, antivirus: Antivirus, report: ErrorReport) -> None:
    first: dict[int, Address] = {}
    for address in antivirus.addresses:
        if first.setdefault(address.version, address) is not address:
            message = f"is a second IPv{address.version} address; clients are translated to one"
            report.add(f"{path}.as.{address}", message, f"keep {first[address.version]}, or this one")
    for prefix in antivirus.clients:
        if prefix.version not in first:
            message = f"is an IPv{prefix.version} prefix, but `as` has no IPv{prefix.version} address"
            report.add(f"{path}.clients.{prefix}", message, "add one under `as`")
