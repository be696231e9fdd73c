"""Table `resume`: a known connection goes to the same ends as before.

This table comes before suspicion and services, so neither an edit of the policy nor
a new decision moves an open session. The label holds the MACs of both ends; zero
means that the responder is not decided yet.

For a packet that conntrack calls invalid, there is no direction, but there is a
label. Such packets are not dropped, because they end a half-dead session when a
client reuses a port. They follow the label too: a packet from the responder in the
label goes to the initiator.
"""

from collections.abc import Iterator

from controller.compiler.view import ETH_TYPES, SwitchView, destination_is
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import (
    LABEL_INITIATOR,
    LABEL_RESPONDER,
    MAC_BITS,
    CtState,
    EthType,
    Role,
    Zone,
)
from controller.pipeline.flows import DecTtl, Flow, LookUpConnection, Match, Move, SetField, match
from controller.pipeline.tables import Table
from controller.policy.model import PoolKind

_ONLY_ANSWER = {
    PoolKind.RESPONDER: Role.RESPONDER,
    PoolKind.DECOY: Role.DECOY,
    PoolKind.ANTIVIRUS: Role.ANTIVIRUS,
}
_NOBODY_YET = (f.CT_LABEL, 0, (1 << MAC_BITS) - 1)
_IS_REPLY = (f.CT_STATE, CtState.TRACKED | CtState.REPLY, CtState.TRACKED | CtState.REPLY)
_IS_INVALID = (f.CT_STATE, CtState.TRACKED | CtState.INVALID, CtState.TRACKED | CtState.INVALID)
_IS_NO_REPLY = (f.CT_STATE, CtState.TRACKED, CtState.TRACKED | CtState.REPLY)
_IS_TRACKED = (f.CT_STATE, CtState.TRACKED, CtState.TRACKED)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for eth_type in ETH_TYPES:
        yield from _follow(eth_type)
        yield from _follow_invalid(view, eth_type)
        yield from _unknown(view, eth_type)
    yield from _to_another_home(view)


def _follow(eth_type: EthType) -> Iterator[Flow]:
    to_initiator = match((f.ETH_TYPE, eth_type), _IS_REPLY)
    to_responder = match((f.ETH_TYPE, eth_type), _IS_TRACKED)
    yield _follow_label(priorities.NORMAL, to_initiator, LABEL_INITIATOR)
    yield _follow_label(priorities.LOW, to_responder, LABEL_RESPONDER)


def _follow_invalid(view: SwitchView, eth_type: EthType) -> Iterator[Flow]:
    for neighbour in view.whole.neighbours if view.visitors else view.neighbours:
        mac, because = neighbour.mac, neighbour.path
        is_from_responder = (f.CT_LABEL, mac << LABEL_RESPONDER, ((1 << MAC_BITS) - 1) << LABEL_RESPONDER)
        wanted = match((f.ETH_SRC, mac), (f.ETH_TYPE, eth_type), _IS_INVALID, is_from_responder)
        yield _follow_label(priorities.RAISED, wanted, LABEL_INITIATOR, because)


def _follow_label(band: int, wanted: Match, offset: int, because: str = "policy") -> Flow:
    actions = (
        Move(f.CT_LABEL, f.ETH_DST, MAC_BITS, source_offset=offset),
        DecTtl(),
    )
    return Flow(Table.RESUME, band, wanted, actions, Table.FORWARD, because)


def _unknown(view: SwitchView, eth_type: EthType) -> Iterator[Flow]:
    def flow(role: Role, zone: Zone, goto: Table) -> Flow:
        wanted = match((f.ROLE, role), (f.ZONE, zone), (f.ETH_TYPE, eth_type), _NOBODY_YET)
        return Flow(Table.RESUME, priorities.HIGH, wanted, (), goto, "policy")

    yield flow(Role.BACKBONE, Zone.OUTSIDE, Table.SUSPICION)
    yield flow(Role.TENANT, Zone.OUTSIDE, Table.SUSPICION)
    yield flow(Role.GATEWAY, Zone.RELAY, Table.SERVICE)
    yield flow(Role.GATEWAY, Zone.SCAN, Table.SERVICE)
    if view.has(PoolKind.ANTIVIRUS):
        yield flow(Role.TENANT, Zone.CLIENT, Table.SERVICE)
        yield flow(Role.GATEWAY, Zone.UPDATE, Table.SERVICE)
    # A gateway never opens a connection outside: its stray replies are dropped here.
    stray = match((f.ROLE, Role.GATEWAY), (f.ZONE, Zone.OUTSIDE), (f.ETH_TYPE, eth_type), _NOBODY_YET)
    yield Flow(Table.RESUME, priorities.HIGH, stray, (), None, "policy")
    for kind, role in _ONLY_ANSWER.items():
        if view.has(kind):
            yield from _silenced(role, eth_type)
    # Not found on the relay leg: look the connection up once more, on the outside leg.
    other = match((f.ROLE, Role.TENANT), (f.ZONE, Zone.RELAY), (f.ETH_TYPE, eth_type), _NOBODY_YET)
    actions = (SetField(f.ZONE, Zone.OUTSIDE), LookUpConnection(view.zone(Zone.OUTSIDE), Table.RESUME))
    yield Flow(Table.RESUME, priorities.HIGH, other, actions, None, "policy")


def _silenced(role: Role, eth_type: EthType) -> Iterator[Flow]:
    """Hosts that only answer neither open a connection nor send in the initiator's direction."""
    answering = ((f.ROLE, role), (f.ETH_TYPE, eth_type))
    yield Flow(Table.RESUME, priorities.HIGH, match(*answering, _NOBODY_YET), (), None, "policy")
    yield Flow(Table.RESUME, priorities.NORMAL, match(*answering, _IS_NO_REPLY), (), None, "policy")


def _to_another_home(view: SwitchView) -> Iterator[Flow]:
    """A new connection from one tenant to another goes on to the other tenant's home."""
    for tenant, home in view.tenants_elsewhere if view.tenants else ():
        for prefix in tenant.prefixes:
            wanted = match(
                (f.ROLE, Role.TENANT), (f.ZONE, Zone.OUTSIDE), *destination_is(prefix), _NOBODY_YET
            )
            band = priorities.longest_prefix(priorities.HIGH, prefix.prefixlen)
            because = f"tenants.{tenant.name}.prefixes.{prefix}"
            yield Flow(Table.RESUME, band, wanted, (SetField(f.ETH_DST, home),), Table.FORWARD, because)
