"""Members that are no longer in the policy, but still have sessions. Pure.

They stay in the compiled policy, without new sessions, until their last session has
ended. If the new policy uses their port, MAC or address, they are removed at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from controller.policy.model import Member, Policy, Pool


def with_leaving(policy: Policy, before: Policy, stays: Callable[[str], bool]) -> Policy:
    """Return the policy with those members of `before` that must stay for now. `stays` takes a path."""
    taken = set(_belongings_of_others(policy))
    pools, places = [], dict(policy.places)
    for pool in policy.pools:
        leaving = []
        for member in _gone(pool, before):
            path = _path(pool, member)
            is_free = not taken & set(_belongings(member)) and not _is_a_tenants(member, policy)
            if stays(path) and is_free:
                leaving.append(member)
                places |= {
                    key: at for key, at in before.places.items() if key == path or key.startswith(f"{path}.")
                }
        pools.append(replace(pool, members=(*pool.members, *leaving)))
    return replace(policy, pools=tuple(pools), places=places)


def without_members(policy: Policy, paths: set[str]) -> Policy:
    """Return the policy without some members."""
    pools = (
        replace(pool, members=tuple(m for m in pool.members if _path(pool, m) not in paths))
        for pool in policy.pools
    )
    return replace(policy, pools=tuple(pools))


def member_paths(policy: Policy) -> set[str]:
    return {_path(pool, member) for pool in policy.pools for member in pool.members}


def _path(pool: Pool, member: Member) -> str:
    return f"pools.{pool.name}.members.{member.name}"


def _gone(pool: Pool, before: Policy) -> Iterator[Member]:
    names = {member.name for member in pool.members}
    for other in before.pools:
        if (other.name, other.kind) == (pool.name, pool.kind):
            yield from (member for member in other.members if member.name not in names)


def _belongings(member: Member) -> Iterator[object]:
    yield member.at
    yield member.mac
    yield from member.addresses


def _is_a_tenants(member: Member, policy: Policy) -> bool:
    prefixes = [prefix for tenant in policy.tenants for prefix in tenant.prefixes]
    return any(address in prefix for address in member.addresses for prefix in prefixes)


def _belongings_of_others(policy: Policy) -> Iterator[object]:
    for pool in policy.pools:
        yield from (*pool.vip, *pool.edge)
        for member in pool.members:
            yield from _belongings(member)
    for tenant in policy.tenants:
        yield from tenant.antivirus.addresses if tenant.antivirus else ()
    for attachment in (*policy.uplinks, *(each for tenant in policy.tenants for each in tenant.gateways)):
        yield from (attachment.at, attachment.mac, *attachment.edge)
    for link in policy.links:
        yield from (link.a, link.b)
