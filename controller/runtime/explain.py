"""Finds the line of the policy that a flow comes from. Pure."""

from collections.abc import Callable, Iterable, Iterator

from controller.compiler.names import names_of
from controller.ids import COOKIE_OWNER_SHIFT, is_ours
from controller.pipeline.flows import Flow
from controller.pipeline.show import Shower
from controller.policy.model import Policy
from controller.runtime.accepted import Accepted
from controller.runtime.commands.policy import (
    ExplainedFlow,
    ExplainedRule,
    Explanation,
    NotExplained,
)

ToRow = Callable[[str, str, Flow], ExplainedFlow]  # from a switch, words, and the flow itself
_EVERY_POLICY = "policy"  # the rule of flows that no line of a policy asks for


def explain_cookie(accepted: Accepted, cookie: int, to_row: ToRow) -> Explanation | NotExplained:
    """Return the rule behind a cookie, its place in the file, and all its flows."""
    if not is_ours(cookie):
        owner = cookie >> COOKIE_OWNER_SHIFT
        return NotExplained(f"not a cookie of this edge (it begins with {owner:#x}, not 0x9057)")
    return _explain(
        accepted, lambda flow: flow.cookie == cookie, f"no flow has cookie {cookie:#x} now", to_row
    )


def explain_rule(accepted: Accepted, path: str, to_row: ToRow) -> Explanation | NotExplained:
    """Return the flows of a rule and of all rules below it."""
    return _explain(
        accepted,
        lambda flow: flow.because == path or flow.because.startswith(f"{path}."),
        f"no flow comes from a rule `{path}`",
        to_row,
    )


def _explain(
    accepted: Accepted, is_wanted: Callable[[Flow], bool], otherwise: str, to_row: ToRow
) -> Explanation | NotExplained:
    found = [
        (name, flow)
        for name, state in sorted(accepted.states.items())
        for flow in _in_order(filter(is_wanted, state.flows.values()))
    ]
    if not found:
        return NotExplained(otherwise)
    shower = Shower(names_of(accepted.policy))
    rules = sorted({flow.because for _, flow in found})
    return Explanation(
        accepted.revision,
        tuple(ExplainedRule(rule, place_of(accepted.policy, rule)) for rule in rules),
        tuple(to_row(name, shower.flow(flow), flow) for name, flow in found),
    )


def list_flows(accepted: Accepted, switch: str, to_row: ToRow) -> Iterator[ExplainedFlow]:
    """Yield the flows of a switch, or of all."""
    shower = Shower(names_of(accepted.policy))
    for name, state in sorted(accepted.states.items()):
        if switch in ("", name):
            for flow in _in_order(state.flows.values()):
                yield to_row(name, shower.flow(flow), flow)


def _in_order(flows: Iterable[Flow]) -> list[Flow]:
    return sorted(flows, key=lambda flow: (flow.table, -flow.priority, flow.cookie))


def place_of(policy: Policy, rule: str) -> str:
    """Return `file:line:column` of a rule, or of the nearest rule above it."""
    path = rule
    while path:
        if path in policy.places and path != _EVERY_POLICY:
            place = policy.places[path]
            return f"{place.file}:{place.line}:{place.column}"
        path = path.rpartition(".")[0]
    return "the edge itself (every policy needs this flow)"
