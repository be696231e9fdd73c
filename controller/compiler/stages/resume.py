"""Table `resume`: a known connection goes to the same ends as before.

This table comes before suspicion and services, so neither an edit of the policy nor
a new decision moves an open session. The label holds the MACs of both ends; zero
means that the responder is not decided yet.

Routers of the backbone and of tenants follow the label in the direction that conntrack
gives: table `source` has bound their addresses to them, and a tenant may have several
gateways. Hosts of pools use other parties' addresses, so their MAC is compared with the
label: the responder of a session sends to the initiator, and a gateway that began a
session sends to its responder. No flow matches anything else that they send, ICMP errors
included.

For a packet that conntrack calls invalid, there is no direction, but there is a
label. Such packets are not dropped, because they end a half-dead session when a
client reuses a port. They follow the label too: a packet from the responder in the
label goes to the initiator, and one from the gateway that began the session to the
responder. A decoy answers at every port, so it could repeat the initiator's own packet
and reach the address and port that the initiator wanted. Its invalid packets go to the
backbone only.
"""

from collections.abc import Iterator

from controller.compiler.fragments import IS_BROKEN, IS_FRAGMENT
from controller.compiler.neighbours import Neighbour
from controller.compiler.view import ETH_TYPES, SwitchView, destination_is
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import (
    LABEL_INITIATOR,
    LABEL_RESPONDER,
    MAC_BITS,
    CtState,
    EthType,
    Field,
    Role,
    Zone,
)
from controller.pipeline.flows import DecTtl, Flow, LookUpConnection, Match, Move, SetField, match
from controller.pipeline.tables import Table
from controller.policy.model import PoolKind
from controller.topology.ports import mac_number

_ROUTERS = (Role.BACKBONE, Role.TENANT)
_MAC_MASK = (1 << MAC_BITS) - 1
_NOBODY_YET = (f.CT_LABEL, 0, _MAC_MASK)
_IS_REPLY = (f.CT_STATE, CtState.TRACKED | CtState.REPLY, CtState.TRACKED | CtState.REPLY)
_IS_INVALID = (f.CT_STATE, CtState.TRACKED | CtState.INVALID, CtState.TRACKED | CtState.INVALID)
_IS_NO_REPLY = (f.CT_STATE, CtState.TRACKED, CtState.TRACKED | CtState.REPLY)
_IS_TRACKED = (f.CT_STATE, CtState.TRACKED, CtState.TRACKED)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    senders = view.whole.neighbours if view.visitors else view.neighbours
    for eth_type in ETH_TYPES:
        for role in _ROUTERS:
            yield from _routers(view, role, eth_type)
        for sender in senders:
            yield from _own_sessions(view, sender, eth_type)
        yield from _unknown(view, eth_type)
        # Too small, overlapping, or never whole. It may have come here with a packet of another sender.
        broken = match((f.ETH_TYPE, eth_type), IS_FRAGMENT, IS_BROKEN)
        yield Flow(Table.RESUME, priorities.DENY, broken, (), None, "policy")
    yield from _to_another_home(view)


def _routers(view: SwitchView, role: Role, eth_type: EthType) -> Iterator[Flow]:
    to_initiator = match((f.ROLE, role), (f.ETH_TYPE, eth_type), _IS_REPLY)
    yield _follow_label(priorities.NORMAL, to_initiator, LABEL_INITIATOR)
    # Routers begin no connection on the relay leg. A tenant's fragments are looked up there before their kind
    # is known: those of a client must not follow the gateway's connection, which has the same addresses and
    # ports.
    for leg in (Zone.OUTSIDE, Zone.CLIENT) if view.has(PoolKind.ANTIVIRUS) else (Zone.OUTSIDE,):
        if role is Role.TENANT or leg is Zone.OUTSIDE:
            to_responder = match((f.ROLE, role), (f.ZONE, leg), (f.ETH_TYPE, eth_type), _IS_TRACKED)
            yield _follow_label(priorities.LOW, to_responder, LABEL_RESPONDER)


def _own_sessions(view: SwitchView, sender: Neighbour, eth_type: EthType) -> Iterator[Flow]:
    """Yield what a neighbour may send in sessions that have its MAC in their label."""
    known = ((f.ETH_SRC, sender.mac), (f.ETH_TYPE, eth_type))
    answers = _label(responder=sender.mac)
    if sender.role is Role.DECOY:
        for uplink in view.policy.uplinks:
            to_backbone = _label(responder=sender.mac, initiator=mac_number(uplink.mac))
            wanted = match(*known, _IS_INVALID, to_backbone)
            yield _follow_label(priorities.RAISED, wanted, LABEL_INITIATOR, sender.path)
    else:
        wanted = match(*known, _IS_INVALID, answers)
        yield _follow_label(priorities.RAISED, wanted, LABEL_INITIATOR, sender.path)
    if sender.role not in _ROUTERS:
        wanted = match(*known, _IS_REPLY, answers)
        yield _follow_label(priorities.RAISED, wanted, LABEL_INITIATOR, sender.path)
    if sender.role in (Role.DECOY, Role.ANTIVIRUS):
        # Of the hosts of pools, only these may send fragments (`track`). One that was held until it could
        # go on with a router's packet is not a router's.
        for role in _ROUTERS:
            held = match((f.ROLE, role), *known, IS_FRAGMENT)
            yield Flow(Table.RESUME, priorities.DENY, held, (), None, sender.path)
    if sender.role is Role.GATEWAY:
        wanted = match(*known, _IS_NO_REPLY, _label(initiator=sender.mac))
        yield _follow_label(priorities.NORMAL, wanted, LABEL_RESPONDER, sender.path)


def _label(responder: int = 0, initiator: int = 0) -> tuple[Field, int, int]:
    """Match one end of a connection, or both. No neighbour has MAC 0."""
    value = mask = 0
    for mac, offset in ((responder, LABEL_RESPONDER), (initiator, LABEL_INITIATOR)):
        if mac:
            value |= mac << offset
            mask |= _MAC_MASK << offset
    return f.CT_LABEL, value, mask


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
    # Not found on the relay leg: look the connection up once more, on the outside leg.
    other = match((f.ROLE, Role.TENANT), (f.ZONE, Zone.RELAY), (f.ETH_TYPE, eth_type), _NOBODY_YET)
    actions = (SetField(f.ZONE, Zone.OUTSIDE), LookUpConnection(view.zone(Zone.OUTSIDE), Table.RESUME))
    yield Flow(Table.RESUME, priorities.HIGH, other, actions, None, "policy")


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
