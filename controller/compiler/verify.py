"""Invariants of every compiled state, checked before it is sent to a switch.

Invariants: goto goes only forward, groups exist and are used, only declared fields
are matched, no flow hides another, no two flows contradict each other, a cookie belongs
to one rule, only gateways can reach a port 25 (except directly, where a tenant opted in
and no other host takes its mail), hosts that only answer open no connections, hosts of
pools speak in their own sessions only, and no tenant begins a connection from port 25.
A failure is our own mistake, hence `AssertionError`.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from controller.compiler.mail_path import first_stop
from controller.compiler.network_state import Conditions
from controller.compiler.overlaps import find_ambiguous, find_shadowed
from controller.pipeline import fields as f
from controller.pipeline.declared import FIELDS
from controller.pipeline.fields import (
    LABEL_INITIATOR,
    LABEL_RESPONDER,
    MAC_BITS,
    CtState,
    Field,
    IpProto,
    Role,
    Zone,
)
from controller.pipeline.flows import (
    CONTROLLER_NUMBER,
    Clone,
    CommitConnection,
    Flow,
    Learn,
    LookUpConnection,
    Move,
    Output,
    Resubmit,
    SwitchState,
    ToGroup,
)
from controller.pipeline.tables import Table
from controller.pipeline.zones import leg_of
from controller.policy.model import Address, OnEmpty, Policy

_SMTP = 25
# Roles that only answer, and on which legs.
_ONLY_ANSWER = {
    Role.RESPONDER: {Zone.OUTSIDE},
    Role.DECOY: {Zone.OUTSIDE},
    Role.ANTIVIRUS: {Zone.UPDATE, Zone.CLIENT},
}
# Their addresses are bound to them by table `source`, and each may have several MACs.
_ROUTERS = {Role.BACKBONE, Role.TENANT}
_DESTINATIONS: Mapping[Field, Callable[[int], Address]] = {f.IPV4_DST: IPv4Address, f.IPV6_DST: IPv6Address}


@dataclass(frozen=True, slots=True)
class Bypass:
    """A server that mail may reach unscanned, and the tenant's rule that allows it."""

    because: str
    server: Address


def allowed_bypasses(policy: Policy, conditions: Conditions) -> frozenset[Bypass]:
    """Return what `on_empty: bypass` allows now: nothing while a member of the first stop takes mail."""
    allowed = set()
    for tenant in policy.tenants:
        if tenant.mail is None or tenant.mail.on_empty is not OnEmpty.BYPASS:
            continue
        pool = first_stop(policy, tenant.mail)
        if pool.name not in conditions.unready and not conditions.takes(pool):
            because = f"tenants.{tenant.name}.mail.on_empty"
            allowed |= {Bypass(because, server) for server in tenant.mail.servers}
    return frozenset(allowed)


def verify(state: SwitchState, allowed: frozenset[Bypass] = frozenset()) -> None:
    """Raise `AssertionError` naming the first flow that breaks an invariant."""
    used_groups = set()
    rule_by_cookie: dict[int, set[str]] = defaultdict(set)
    for flow in state.flows.values():
        _check_forward(flow)
        _check_fields(flow)
        _check_smtp(flow, allowed)
        _check_silence(flow)
        _check_own_session(flow)
        rule_by_cookie[flow.cookie].add(flow.because)
        used_groups |= {a.group_id for a in flow.actions if isinstance(a, ToGroup)}
    _check_answers(state)
    used_meters = {flow.meter for flow in state.flows.values()} - {0}
    assert used_meters == set(state.meters), f"meters used {used_meters}, meters made {set(state.meters)}"
    assert used_groups == set(state.groups), f"groups used {used_groups}, groups made {set(state.groups)}"
    for rules in rule_by_cookie.values():
        assert len(rules) == 1, f"one cookie for several rules: {sorted(rules)}"
    for low, high in find_shadowed(state.flows.values()):
        raise AssertionError(f"{low} is never hit because of {high}")
    for one, other in find_ambiguous(state.flows.values()):
        raise AssertionError(f"{one} and {other} want different things of the same packets")
    for number, group in state.groups.items():
        assert group.group_id == number, f"{group} is kept under number {number}"
        for bucket in group.buckets:
            for action in bucket.actions:
                assert not isinstance(action, Resubmit) or action.table > Table.SERVICE
                assert not isinstance(action, ToGroup) or action.group_id in state.groups


def _check_forward(flow: Flow) -> None:
    assert flow.goto is None or flow.goto > flow.table, f"{flow} goes backward"
    for action in flow.actions:
        if isinstance(action, LookUpConnection):
            leg_of(action.zone)  # raises if the zone is not ours
            # `resume` may look up a second zone once: if `track` chose RELAY, it falls back to OUTSIDE.
            is_fallback = flow.table is action.then is Table.RESUME and leg_of(action.zone) is Zone.OUTSIDE
            assert action.then > flow.table or is_fallback, f"{flow} goes backward"
        if isinstance(action, Resubmit):
            assert action.table > flow.table, f"{flow} goes backward"
        if isinstance(action, Clone) and flow.table is not Table.COMMIT:
            assert action.actions == (Resubmit(Table.SAMPLE),), f"{flow} copies a packet"
        if isinstance(action, Learn):
            # A learned flow may only name a next hop, and only `affinity` decides whether it is used.
            assert action.table is Table.RECALL and action.sets.field is f.ETH_DST, f"{flow} learns too much"
    _check_commit(flow)
    assert flow.table is not Table.RECALL, f"{flow} is in a table for learned flows only"
    if flow.table is Table.SAMPLE:
        assert flow.meter and flow.actions == (Output(CONTROLLER_NUMBER),), f"{flow} samples without a limit"


def _check_commit(flow: Flow) -> None:
    """Nothing follows a commit: held fragments of other senders may go on with it, past all tables."""
    for index, action in enumerate(flow.actions):
        if isinstance(action, CommitConnection):
            is_last = index + 1 == len(flow.actions) and flow.goto is None
            assert is_last and action.then in (None, Table.FORWARD), f"{flow} goes on after a commit"


def _check_fields(flow: Flow) -> None:
    for criterion in flow.match:
        assert criterion.field in FIELDS[flow.table], f"{flow} matches {criterion.field.name}, undeclared"


def _check_smtp(flow: Flow, allowed: frozenset[Bypass]) -> None:
    """Only a gateway's relay leg goes straight to a server's port 25, except for allowed bypasses."""
    if flow.table is not Table.SERVICE or flow.goto is not Table.ROUTE:
        return
    exact = {c.field: c.value for c in flow.match}
    if exact.get(f.TCP_DST) != _SMTP or _is_allowed(flow, exact, allowed):
        return
    assert exact.get(f.ROLE) == Role.GATEWAY and exact.get(f.ZONE) == Zone.RELAY, f"{flow} bypasses"
    assert exact.get(f.IP_PROTO) == IpProto.TCP and f.PARTY in exact, f"{flow} bypasses"


def _is_allowed(flow: Flow, exact: Mapping[Field, int], allowed: frozenset[Bypass]) -> bool:
    is_mail = exact.get(f.ZONE) == Zone.OUTSIDE and exact.get(f.IP_PROTO) == IpProto.TCP
    servers = [
        _DESTINATIONS[c.field](c.value)
        for c in flow.match
        if c.field in _DESTINATIONS and c.mask == c.field.full_mask
    ]
    return is_mail and bool(servers) and Bypass(flow.because, servers[0]) in allowed


def _check_silence(flow: Flow) -> None:
    """Packets of hosts that only answer are looked up on their own legs only, and open no connection."""
    roles = {c.value for c in flow.match if c.field is f.ROLE}
    if flow.table is Table.RESUME and flow.goto in (Table.SUSPICION, Table.SERVICE):
        assert roles and not roles & _ONLY_ANSWER.keys(), f"{flow} lets an answering host begin a connection"
    if flow.table is Table.TRACK:
        legs = {leg_of(each.zone) for each in flow.actions if isinstance(each, LookUpConnection)}
        for role in roles or _ONLY_ANSWER.keys():
            assert legs <= _ONLY_ANSWER.get(Role(role), legs), (
                f"{flow} lets an answering host onto another leg"
            )


def _check_own_session(flow: Flow) -> None:
    """Whoever is not a router follows a label only if its MAC is there, and only to the other end."""
    halves = [each.source_offset for each in flow.actions if isinstance(each, Move)]
    if flow.table is not Table.RESUME or not halves:
        return
    found = {c.field: c for c in flow.match}
    if f.ROLE in found and found[f.ROLE].value in _ROUTERS:
        return
    own = LABEL_INITIATOR if halves == [LABEL_RESPONDER] else LABEL_RESPONDER
    label, sender = found.get(f.CT_LABEL), found.get(f.ETH_SRC)
    assert label and sender and sender.mask == f.ETH_SRC.full_mask == _half(label.mask, own), (
        f"{flow} follows the session of another"
    )
    assert _half(label.value, own) == sender.value, f"{flow} follows the session of another"
    state = found.get(f.CT_STATE)
    is_reply = state and state.mask & ~state.value & CtState.REPLY
    assert own == LABEL_RESPONDER or is_reply, f"{flow} lets an answer go to the responder"


def _half(label: int, offset: int) -> int:
    return label >> offset & ((1 << MAC_BITS) - 1)


def _check_answers(state: SwitchState) -> None:
    """Where a tenant may begin connections, none begins at port 25: answers would bypass the gateways."""
    begun, answered, refused = set(), set(), set()
    for flow in state.flows.values():
        exact = {c.field: c.value for c in flow.match}
        leg = exact.get(f.ETH_TYPE), exact.get(f.ZONE)
        is_tenants = exact.get(f.ROLE) == Role.TENANT
        if flow.table is Table.RESUME and is_tenants and flow.goto in (Table.SUSPICION, Table.SERVICE):
            begun.add(leg)
        if flow.table is Table.SERVICE and (flow.actions or flow.goto):
            answered.add(leg)
        elif flow.table is Table.SERVICE and is_tenants and exact.get(f.TCP_SRC) == _SMTP:
            refused.add(leg)
    assert begun & answered <= refused, "tenants begin connections from port 25"
