"""Checks that numbers of names do not clash. Most numbers are hashes, so a clash is possible but rare."""

from collections.abc import Callable, Iterable

from controller.compiler.errors import CompileError
from controller.compiler.groups import group_names
from controller.ids import group_id, party_id
from controller.pipeline.fields import Zone
from controller.pipeline.zones import zone_number
from controller.policy.model import Policy


def check(policy: Policy) -> None:
    """Raise `CompileError` when two names of the policy share a number."""
    pools = [f"pools.{pool.name}" for pool in policy.pools]
    tenants = [f"tenants.{tenant.name}" for tenant in policy.tenants]
    uplinks = [f"uplinks.{uplink.name}" for uplink in policy.uplinks]
    _check_distinct(party_id, [*pools, *tenants, *uplinks])
    _check_distinct(group_id, [name for name, _ in group_names(policy)])
    dpid_by_switch = {f"switches.{switch.name}": switch.dpid for switch in policy.switches}
    _check_distinct(lambda name: zone_number(dpid_by_switch[name], Zone.OUTSIDE), dpid_by_switch)


def _check_distinct(number_of: Callable[[str], int], names: Iterable[str]) -> None:
    name_by_number: dict[int, str] = {}
    for name in names:
        first = name_by_number.setdefault(number_of(name), name)
        if first != name:
            raise CompileError(
                f"`{first}` and `{name}` happen to have the same internal number",
                "rename one of them, or give a switch another dpid",
            )
