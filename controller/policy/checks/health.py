"""Checks of `health`: agents have something to check, often enough, and nothing that members lack."""

from common.config.report import ErrorReport
from controller.policy.model import HealthSource, Policy, Pool, PoolKind

_OWN_SERVICES = frozenset(
    {PoolKind.DECOY, PoolKind.ANTIVIRUS}
)  # the kind does not say which services they have
_OF_SCANNERS = ("signatures_max_age", "canary_interval")


def check_health(policy: Policy, report: ErrorReport) -> None:
    for pool in policy.pools:
        path, health = f"pools.{pool.name}.health", pool.health
        if health.by is HealthSource.AGENT and health.silence_s < 2 * health.interval_s:
            key = "silence" if f"{path}.silence" in report.places else "interval"
            report.add(
                f"{path}.{key}",
                f"members that report every {health.interval_s:g} s would count as silent",
                "make `silence` at least twice the `interval`",
            )
        _check_probes(pool, path, report)
        if pool.kind is not PoolKind.SCANNER:
            for key in _OF_SCANNERS:
                if f"{path}.{key}" in report.places:
                    report.add(f"{path}.{key}", "only scanners have signatures", "remove it")


def _check_probes(pool: Pool, path: str, report: ErrorReport) -> None:
    has_probes = bool(pool.health.http or pool.health.tcp)
    if pool.health.by is HealthSource.AGENT and pool.kind in _OWN_SERVICES and not has_probes:
        report.add(
            path,
            f"agents have nothing to check in a pool of kind {pool.kind}",
            "list probes: health: {tcp: [{port: 22, banner: SSH-2.0-}]}",
        )
