"""Numbers that stand for names must not clash. They are hashes, so a clash is possible, if rare."""

from collections.abc import Callable, Iterable

from controller.compiler.errors import CompileError
from controller.ids import group_id, party_id
from controller.policy.model import Policy


def check(policy: Policy) -> None:
    """Raise `CompileError` when two names of the policy share a number."""
    pools = [f"pools.{pool.name}" for pool in policy.pools]
    tenants = [f"tenants.{tenant.name}" for tenant in policy.tenants]
    uplinks = [f"uplinks.{uplink.name}" for uplink in policy.uplinks]
    _check_distinct(party_id, [*pools, *tenants, *uplinks])
    _check_distinct(group_id, [pool.name for pool in policy.pools])


def _check_distinct(number_of: Callable[[str], int], names: Iterable[str]) -> None:
    name_by_number: dict[int, str] = {}
    for name in names:
        first = name_by_number.setdefault(number_of(name), name)
        if first != name:
            raise CompileError(f"`{first}` and `{name}` happen to share an internal number; rename one")
