"""What must hold of any compiled state, checked before a switch ever sees it.

Invariants: goto only forward, groups exist and are used, only declared fields,
no flow hidden by another, no two flows that contradict, cookies unique to one
rule, nothing leads to a port 25 but from a gateway.
A failure is our own mistake, hence `AssertionError`.
"""

from collections import defaultdict

from controller.compiler.overlaps import find_ambiguous, find_shadowed
from controller.pipeline import fields as f
from controller.pipeline.declared import FIELDS
from controller.pipeline.fields import IpProto, Role, Zone, leg_of
from controller.pipeline.flows import Flow, Learn, LookUpConnection, Resubmit, SwitchState, ToGroup
from controller.pipeline.tables import Table

_SMTP = 25


def verify(state: SwitchState) -> None:
    """Raise `AssertionError` naming the first flow that breaks an invariant."""
    used_groups = set()
    rule_by_cookie: dict[int, set[str]] = defaultdict(set)
    for flow in state.flows.values():
        _check_forward(flow)
        _check_fields(flow)
        _check_smtp(flow)
        rule_by_cookie[flow.cookie].add(flow.because)
        used_groups |= {a.group_id for a in flow.actions if isinstance(a, ToGroup)}
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
            leg_of(action.zone)  # a zone of ours
            # `resume` may look a second zone up, once: `track` chose RELAY, it falls back to OUTSIDE.
            is_fallback = flow.table is action.then is Table.RESUME and leg_of(action.zone) is Zone.OUTSIDE
            assert action.then > flow.table or is_fallback, f"{flow} goes backward"
        if isinstance(action, Resubmit):
            assert action.table > flow.table, f"{flow} goes backward"
        if isinstance(action, Learn):
            # What is learned may only name a next hop, and only `affinity` says whether it counts.
            assert action.table is Table.RECALL and action.sets.field is f.ETH_DST, f"{flow} learns too much"
    assert flow.table is not Table.RECALL, f"{flow} stands where only learned flows do"


def _check_fields(flow: Flow) -> None:
    for criterion in flow.match:
        assert criterion.field in FIELDS[flow.table], f"{flow} matches {criterion.field.name}, undeclared"


def _check_smtp(flow: Flow) -> None:
    """Only a gateway's relay leg goes straight to a server's port 25."""
    if flow.table is not Table.SERVICE or flow.goto is not Table.ROUTE:
        return
    exact = {c.field: c.value for c in flow.match}
    if exact.get(f.TCP_DST) == _SMTP:
        assert exact.get(f.ROLE) == Role.GATEWAY and exact.get(f.ZONE) == Zone.RELAY, f"{flow} bypasses"
        assert exact.get(f.IP_PROTO) == IpProto.TCP and f.PARTY in exact, f"{flow} bypasses"
