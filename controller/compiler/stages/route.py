"""Table `route`: the longest prefix selects the next gateway.

If several gateways lead to the same place, new connections are spread over those
whose port is up; a connection keeps the gateway that it began with.
"""

from collections.abc import Iterator

from controller.compiler.groups import gateways_name, uplinks_name
from controller.compiler.view import SwitchView, destination_is
from controller.ids import group_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType
from controller.pipeline.flows import Bucket, Flow, Group, Match, Resubmit, SetField, ToGroup, match
from controller.pipeline.tables import Table
from controller.policy.model import Attachment
from controller.topology.ports import mac_number

_ETH_TYPES = {4: EthType.IPV4, 6: EthType.IPV6}


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for tenant in view.tenants:
        for prefix in tenant.prefixes:
            band = priorities.longest_prefix(priorities.NORMAL, prefix.prefixlen)
            because = f"tenants.{tenant.name}.prefixes.{prefix}"
            able = view.able(tenant.gateways, prefix.version)
            name = gateways_name(tenant, prefix.version)
            yield _route(band, match(*destination_is(prefix)), able, name, because)
    if view.tenants:
        for version, able in _ways_out(view):
            wanted = match((f.ETH_TYPE, _ETH_TYPES[version]))
            yield _route(priorities.LOW, wanted, able, uplinks_name(version), "uplinks")


def build_groups(view: SwitchView) -> Iterator[Group]:
    for tenant in view.tenants:
        for family in sorted({prefix.version for prefix in tenant.prefixes}):
            able = view.able(tenant.gateways, family)
            name, because = gateways_name(tenant, family), f"tenants.{tenant.name}.gateways"
            yield from _group(view, able, name, because)
    if view.tenants:
        for version, able in _ways_out(view):
            yield from _group(view, able, uplinks_name(version), "uplinks")


def _ways_out(view: SwitchView) -> Iterator[tuple[int, list[Attachment]]]:
    for version in _ETH_TYPES:
        if able := view.able(view.policy.uplinks, version):
            yield version, able


def _route(band: int, wanted: Match, able: list[Attachment], name: str, because: str) -> Flow:
    """The policy's checks ensure that at least one gateway has an address of this family."""
    if len(able) > 1:
        return Flow(Table.ROUTE, band, wanted, (ToGroup(group_id(name)),), None, because)
    hop = SetField(f.ETH_DST, mac_number(able[0].mac))
    return Flow(Table.ROUTE, band, wanted, (hop,), Table.COMMIT, because)


def _group(view: SwitchView, able: list[Attachment], name: str, because: str) -> Iterator[Group]:
    if len(able) > 1:
        buckets = tuple(
            Bucket(
                1,
                (SetField(f.ETH_DST, mac_number(each.mac)), Resubmit(Table.COMMIT)),
                watch_port=view.watched_port(each),
            )
            for each in able
        )
        yield Group(group_id(name), buckets, because)
