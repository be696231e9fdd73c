"""The reference page of the pipeline, from its tables and the flows of a policy. Pure."""

from collections import defaultdict
from collections.abc import Iterator

from controller.compiler.compile import compile_policy
from controller.compiler.names import names_of
from controller.ids import COOKIE_OWNER
from controller.pipeline import priorities
from controller.pipeline.fields import (
    LABEL_INITIATOR,
    LABEL_RESPONDER,
    MAC_BITS,
    REGISTER_MEANINGS,
    ROLE_MEANINGS,
    ZONE_MEANINGS,
)
from controller.pipeline.flows import Flow, LookUpConnection, Resubmit, SwitchState, ToGroup
from controller.pipeline.show import Shower
from controller.pipeline.tables import DOCS, Table
from controller.policy.model import Policy

_EXAMPLES = 4
_HEAD = """\
# The pipeline

`make docs` generates this page from the tables themselves and from the flows of
[`policies/demo.yaml`](../policies/demo.yaml).

A packet enters at `admission` and only goes forward. In each table, a flow of priority 0 drops packets that match no
other flow, and counts them. The names of tables are stable, but their numbers may change.
`ovs-ofctl -O OpenFlow14 --names dump-flows s1` shows the names.
"""
_READING = f"""\
## Reading dump-flows

    cookie=0x9057f71616810d96, ..., table=track, n_packets=11, ..., priority=20000,tcp,reg0=0x3,nw_dst=203.0.113.10,tp_dst=25
        actions=set_field:0x2->reg2,ct(table=resume,zone=2)

- `cookie`: begins with `{COOKIE_OWNER:x}`, the mark of all our flows. `postern explain COOKIE` names the line of the policy
  that needs this flow. On a switch of the policy, flows with another mark are removed when the switch is next read,
  because they could bypass the scanners.
- `table`: the stage; the file of the same name under `controller/compiler/stages/` made the flow.
- `priority`: its band, see above. `n_packets`: how many packets matched it.
- `reg0`, `reg1`, `reg2`: see above. This flow means: a packet from a gateway to port 25 of acme's server is on the relay leg.
- `ct(table=...,zone=...)` looks the connection up and continues in that table; `ct(commit,...)` stores the decision.

`postern flows` prints the same flows in words, as on this page.
"""


def build_page(policy: Policy) -> str:
    state = next(iter(compile_policy(policy).values()))
    shower = Shower(names_of(policy))
    parts = [_HEAD, *_diagram(state), *_tables(state, shower), *_registers(), _READING]
    return "\n".join(parts).rstrip() + "\n"


def _diagram(state: SwitchState) -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart LR"
    steps = {step for flow in state.flows.values() for step in _steps(flow)}
    steps |= {
        (Table.SERVICE, action.table, "pool")
        for group in state.groups.values()
        for bucket in group.buckets
        for action in bucket.actions
        if isinstance(action, Resubmit)
    }
    for source, target, label in sorted(steps):
        arrow = f"-->|{label}|" if label else "-->"
        yield f"  {source.label} {arrow} {target.label}"
    yield "```"
    yield ""


def _steps(flow: Flow) -> Iterator[tuple[Table, Table, str]]:
    if flow.goto is not None:
        yield flow.table, flow.goto, ""
    for action in flow.actions:
        if isinstance(action, LookUpConnection):
            yield flow.table, action.then, "conntrack"


def _tables(state: SwitchState, shower: Shower) -> Iterator[str]:
    flows_by_table: dict[Table, list[Flow]] = defaultdict(list)
    for flow in state.flows.values():
        flows_by_table[flow.table].append(flow)
    for table, doc in DOCS.items():
        flows = sorted(flows_by_table[table], key=lambda flow: (-flow.priority, shower.flow(flow)))
        yield f"## `{table.label}` (table {table.value})"
        yield ""
        yield f"- matches: {doc.matches}"
        yield f"- does: {doc.does}"
        yield "- miss: drop"
        yield f"- made by: `controller/compiler/stages/{doc.stage or table.label}.py`"
        yield ""
        for flow in _examples(flows):
            yield f"    {shower.flow(flow)}"
        yield ""
        if any(isinstance(action, ToGroup) for flow in flows for action in flow.actions):
            yield "Pools are `select` groups, with one bucket for each member, by weight:"
            yield ""
            yield from (f"    {shower.group(group)}" for group in state.groups.values())
            yield ""


def _examples(flows: list[Flow]) -> list[Flow]:
    """Return a few flows, each of a different kind."""
    by_kind = {
        (flow.priority, flow.goto, tuple(type(a) for a in flow.actions)): flow for flow in reversed(flows)
    }
    return sorted(by_kind.values(), key=flows.index)[:_EXAMPLES]


def _registers() -> Iterator[str]:
    yield "## Registers, zones, labels"
    yield ""
    yield "| register | holds |"
    yield "| --- | --- |"
    for name, meaning in REGISTER_MEANINGS.items():
        yield f"| `{name.name}` | {meaning} |"
    yield ""
    yield "| role | `reg0` | meaning |"
    yield "| --- | --- | --- |"
    for role, meaning in ROLE_MEANINGS.items():
        yield f"| {role.name.lower()} | {role.value} | {meaning} |"
    yield ""
    yield "| zone | `reg2`, `ct(zone=)` | leg |"
    yield "| --- | --- | --- |"
    for zone, meaning in ZONE_MEANINGS.items():
        yield f"| {zone.name.lower()} | {zone.value} | {meaning} |"
    yield ""
    yield (
        f"The label of a connection: bits {LABEL_RESPONDER}..{LABEL_RESPONDER + MAC_BITS - 1} hold the MAC of the responder, "
        f"bits {LABEL_INITIATOR}..{LABEL_INITIATOR + MAC_BITS - 1} that of the initiator. Zero means that it is not decided yet."
    )
    yield ""
    yield "| band | priority |"
    yield "| --- | --- |"
    for band in ("DENY", "HIGH", "RAISED", "NORMAL", "LOW", "MISS"):
        yield f"| {band.lower()} | {getattr(priorities, band):,} |"
    yield ""
    yield "Prefix matches add their length to their band, so the longest prefix wins."
    yield ""
