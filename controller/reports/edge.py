"""State, pools, flows and explanations of a running controller, as plain JSON values. Pure."""

from collections.abc import Mapping

from common.wire.codec import Json
from controller.compiler.names import names_of
from controller.pipeline.flows import SwitchState
from controller.pipeline.show import Shower
from controller.policy.model import Policy
from controller.pools.members import PoolMember
from controller.runtime.commands.members import PoolStatus
from controller.runtime.commands.policy import Explanation, NotExplained, PolicyPlan, TenantConsent
from controller.runtime.commands.switches import EdgeStatus, SwitchStatus

_NO_POLICY = EdgeStatus(0, "", (), (), (), (), {})


def status(edge: EdgeStatus | None, packet_ins: Mapping[int, int]) -> Json:
    """Return revision, state in one word, and a row for each switch."""
    known = edge or _NO_POLICY
    rows = [_switch_row(switch, packet_ins.get(switch.dpid, 0)) for switch in known.switches]
    about = _progress(edge) if edge else {"state": "no policy"}
    return {
        "revision": known.revision,
        **about,
        "policy_file": known.file,
        **({"packet_ins": sum(packet_ins.values())} if edge else {}),
        "switches": rows,
        "unknown_switches": [f"{dpid:016x}" for dpid in known.unknown_switches],
        "pools": list(known.empty_pools),
        "cabling": list(known.cabling),
        "floods": [
            f"{name} is flooded: {rate:.0f} new connections per second, which is above its limit"
            for name, rate in known.floods.items()
        ],
    }


def _progress(edge: EdgeStatus) -> Json:
    confirmed = sum(switch.confirmed_revision == edge.revision for switch in edge.switches)
    whole = len(edge.switches)
    return {
        "state": "confirmed" if confirmed == whole else "waiting",
        "summary": f"revision {edge.revision} confirmed on {confirmed} of {whole} switches",
    }


def _switch_row(switch: SwitchStatus, packet_ins: int) -> Json:
    return {
        "name": switch.name,
        "dpid": switch.dpid,
        "connected": switch.is_connected,
        "phase": switch.phase,
        "confirmed_revision": switch.confirmed_revision,
        "flows": switch.flows,
        "flows_sent": switch.flows_sent,
        "last_plan": switch.last_plan,
        "packet_ins": packet_ins,
        "problems": list(switch.problems),
    }


def pool_row(pool: PoolStatus) -> Json:
    members = [{**member_row(share.member), "share_percent": share.share_percent} for share in pool.members]
    return {"name": pool.name, "kind": pool.kind, "troubles": list(pool.troubles), "members": members}


def member_row(member: PoolMember) -> Json:
    return {
        "pool": member.pool,
        "name": member.name,
        "state": member.state.value,
        "weight": member.weight,
        "sessions": member.sessions,
        "limit": member.limit,
        "health": member.health.opinion.value if member.is_probed else "not probed",
        "detail": member.detail,
    }


def consent(found: TenantConsent) -> Json:
    return {
        "tenant": found.tenant,
        "consent": found.may_be_learned,
        "addresses": list(found.ports),
        "ports": {server: list(ports) for server, ports in found.ports.items()},
        "prefixes": list(found.prefixes),
    }


def explain(explanation: Explanation | NotExplained) -> Json:
    """Return rules with their places, and their flows."""
    if isinstance(explanation, NotExplained):
        return {"found": False, "reason": explanation.reason}
    return {
        "found": True,
        "revision": explanation.revision,
        "rules": [{"rule": each.rule, "place": each.place} for each in explanation.rules],
        "flows": [
            {"switch": each.switch, "flow": each.text, "cookie": f"{each.cookie:#x}"}
            for each in explanation.flows
        ],
    }


def plan(planned: PolicyPlan) -> Json:
    """Return the flows that would be added and removed on each switch, in words."""
    after, accepted = show_flows(planned.policy, planned.states), planned.accepted
    before = show_flows(accepted.policy, accepted.states) if accepted else {}
    return {
        "switches": compare_flows(before, after),
        "plans": dict(planned.sends),
        "warnings": list(planned.warnings),
    }


def show_flows(policy: Policy, states: Mapping[str, SwitchState]) -> dict[str, list[str]]:
    """Return the flows of every switch in words."""
    shower = Shower(names_of(policy))
    return {name: shower.state(state) for name, state in sorted(states.items())}


def compare_flows(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> dict[str, Json]:
    """Return, for each switch, the lines that would be added and removed."""
    changes = {}
    for name in sorted(set(before) | set(after)):
        old, new = set(before.get(name, ())), set(after.get(name, ()))
        changes[name] = {
            "added": [line for line in after.get(name, ()) if line not in old],
            "removed": [line for line in before.get(name, ()) if line not in new],
        }
    return changes
