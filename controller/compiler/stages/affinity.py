"""Tables `recall`, `affinity` and `remember`: a client's next session goes to the member of its last one.

The switch itself remembers. When a pool has chosen a member, `remember` learns a flow of
`recall`: for this source address and this pool, the member's MAC. The client's next session
finds it there, and `affinity` follows it, but only while that member takes new sessions:
otherwise `affinity` has no flows for it, and the pool chooses again. If the member's port is
down, the switch uses the pool instead, at once (a failover group).

Learned flows have the cookie of their member. When the member's flows in `remember` are deleted,
because it drains, fails or leaves, the switch also deletes all that they learned (`delete_learned`).
"""

from collections.abc import Iterator

from controller.compiler.groups import member_name
from controller.compiler.view import SwitchView
from controller.ids import cookie_of, group_id, party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType, IpProto
from controller.pipeline.flows import (
    Bucket,
    Flow,
    Group,
    GroupKind,
    Learn,
    Move,
    Resubmit,
    SetField,
    ToGroup,
    match,
)
from controller.pipeline.tables import Table
from controller.policy.model import Member, Pool
from controller.topology.ports import mac_number

# A learned flow takes about a kilobyte of the switch's memory. Above this, further clients have no affinity.
MOST_CLIENTS_OF_A_MEMBER = 20_000
# A new client's next session may come some milliseconds before the cache knows the learned flow. The cached
# entry of the first one must not take it to another member: reading a field makes the cache match on it.
_FOR_THIS_SESSION = Move(f.TCP_SRC, f.TCP_SRC, 16)
_SOURCES = {EthType.IPV4: f.IPV4_SRC, EthType.IPV6: f.IPV6_SRC}


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for pool in view.sticky_pools:
        because = f"pools.{pool.name}.affinity"
        to_pool = ToGroup(group_id(pool.name))
        for eth_type in _SOURCES:
            wanted = match(_is_for(pool), (f.ETH_TYPE, eth_type), (f.IP_PROTO, IpProto.TCP))
            yield Flow(Table.AFFINITY, priorities.NORMAL, wanted, (_FOR_THIS_SESSION, to_pool), None, because)
        for member in _takers(view, pool):
            yield _keep(view, pool, member)
            yield from _remember(pool, member)
    if view.sticky_pools:
        # A pool may also have clients without affinity: proxies that have messages scanned.
        yield Flow(Table.REMEMBER, priorities.LOW, match(), (), Table.COMMIT, "policy")


def build_groups(view: SwitchView) -> Iterator[Group]:
    """Yield a group for each member on this switch: the member, or the pool while its port is down."""
    for pool in view.sticky_pools:
        whole = group_id(pool.name)
        for member in _takers(view, pool):
            if view.is_here(member):
                itself = Bucket(0, (Resubmit(Table.COMMIT),), watch_port=view.watched_port(member))
                another = Bucket(0, (_FOR_THIS_SESSION, ToGroup(whole)), watch_group=whole)
                number = group_id(member_name(pool, member))
                yield Group(number, (itself, another), _path(pool, member), GroupKind.FAST_FAILOVER)


def _takers(view: SwitchView, pool: Pool) -> Iterator[Member]:
    return (member for member in pool.members if view.share(pool, member))


def _path(pool: Pool, member: Member) -> str:
    return f"pools.{pool.name}.members.{member.name}"


def _is_for(pool: Pool) -> tuple[f.Field, int]:
    return f.POOL, party_id(f"pools.{pool.name}")


def _keep(view: SwitchView, pool: Pool, member: Member) -> Flow:
    wanted = match(_is_for(pool), (f.ETH_DST, mac_number(member.mac)))
    if view.is_here(member):
        to_member = (ToGroup(group_id(member_name(pool, member))),)
        return Flow(Table.AFFINITY, priorities.HIGH, wanted, to_member, None, _path(pool, member))
    return Flow(Table.AFFINITY, priorities.HIGH, wanted, (), Table.COMMIT, _path(pool, member))


def _remember(pool: Pool, member: Member) -> Iterator[Flow]:
    mac, because = mac_number(member.mac), _path(pool, member)
    for eth_type, source in _SOURCES.items():
        learn = Learn(
            Table.RECALL,
            priorities.NORMAL,
            ((f.ETH_TYPE, eth_type), _is_for(pool)),
            source,
            SetField(f.ETH_DST, mac),
            pool.affinity_s,
            MOST_CLIENTS_OF_A_MEMBER,
            cookie_of(because),
        )
        wanted = match(_is_for(pool), (f.ETH_DST, mac), (f.ETH_TYPE, eth_type))
        yield Flow(Table.REMEMBER, priorities.NORMAL, wanted, (learn,), Table.COMMIT, because)
