"""What operators ask of a running controller, answered as plain JSON values. Pure reading."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from common.wire.codec import to_media
from controller.compiler.names import names_of
from controller.hosts.health_agents import settings_for
from controller.ids import COOKIE_OWNER_SHIFT, is_ours
from controller.pipeline.flows import Flow, SwitchState
from controller.pipeline.show import Shower
from controller.policy.model import Policy, Protocol
from controller.pools.members import Member
from controller.pools.roster import Roster
from controller.runtime import Accepted, Runtime, SwitchRecord
from controller.topology.ports import ports_of

Json = dict[str, Any]
_SMTP_PORT = 25


def status(runtime: Runtime, packet_ins: Mapping[int, int]) -> Json:
    """Return revision, state in one word, and a row for each switch."""
    accepted = runtime.accepted
    if accepted is None:
        return {
            "revision": 0,
            "state": "no policy",
            "policy_file": "",
            "switches": [],
            "unknown_switches": [],
            "cabling": [],
            "floods": [],
            "pools": [],
        }
    rows = [
        _switch_row(dpid, record, accepted, packet_ins.get(dpid, 0))
        for dpid, record in sorted(runtime.switches.records.items())
    ]
    confirmed = sum(row["confirmed_revision"] == accepted.revision for row in rows)
    return {
        "revision": accepted.revision,
        "state": "confirmed" if confirmed == len(rows) else "waiting",
        "summary": f"revision {accepted.revision} confirmed on {confirmed} of {len(rows)} switches",
        "policy_file": accepted.file,
        "packet_ins": sum(packet_ins.values()),
        "switches": rows,
        "unknown_switches": [f"{dpid:016x}" for dpid in sorted(runtime.switches.strangers)],
        "pools": [f"{each.pool} {line}" for each in runtime.empty_pools.troubles for line in each.lines],
        "cabling": sorted(map(str, runtime.trunks.troubles)),
        "floods": [
            f"{name} is flooded: {rate:.0f} first packets a second come, its limit lets fewer in"
            for name, rate in runtime.floods.flooded.items()
        ],
    }


def pools(runtime: Runtime) -> list[Json]:
    """Return every pool with its members, in the policy's order."""
    accepted = runtime.accepted
    if accepted is None:
        return []
    shares = _share_percent(runtime.roster)
    return [
        {
            "name": pool.name,
            "kind": pool.kind.value,
            "troubles": [
                line for each in runtime.empty_pools.troubles if each.pool == pool.name for line in each.lines
            ],
            "members": [
                {**member_row(each), "share_percent": shares[each.path]}
                for each in runtime.roster.members
                if each.pool == pool.name
            ],
        }
        for pool in accepted.policy.pools
    ]


def _share_percent(roster: Roster) -> dict[str, int]:
    """Return what part of its pool's new sessions each member gets, by path."""
    weights = {member.path: roster.shares.get(member.path, member.weight) for member in roster.members}
    whole = Counter[str]()
    for member in roster.members:
        whole[member.pool] += weights[member.path]
    return {each.path: round(100 * weights[each.path] / (whole[each.pool] or 1)) for each in roster.members}


def member_row(member: Member) -> Json:
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


def agent_settings(runtime: Runtime, name: str) -> Json:
    """Return what the agent beside a member shall look at. Raise `UnknownMember`."""
    member = runtime.roster.find(name)
    assert runtime.accepted is not None  # where there are members, there is a policy
    policy = runtime.accepted.policy
    settings = settings_for(policy, next(pool for pool in policy.pools if pool.name == member.pool))
    return to_media(settings)


def _switch_row(dpid: int, record: SwitchRecord, accepted: Accepted, packet_ins: int) -> Json:
    session = record.session
    who = {use.at.port: use.name for use in ports_of(accepted.policy) if use.at.switch == session.name}
    problems = [
        f"port {port} ({who.get(port, 'unused')}) is in the policy, but not on the switch"
        for port in record.missing_ports
    ]
    problems += [
        f"port {port.number} ({who.get(port.number, port.name)}) is down"
        for port in record.ports.values()
        if port.is_down and port.number < 0xFFFF_FF00
    ]
    if session.last_error:
        problems.append(session.last_error)
    return {
        "name": session.name,
        "dpid": dpid,
        "connected": record.channel is not None,
        "phase": session.phase.value,
        "confirmed_revision": session.confirmed_revision if record.channel is not None else 0,
        "flows": len(accepted.wires[session.name].flows),
        "flows_sent": session.flows_sent,
        "last_plan": str(session.last_plan),
        "packet_ins": packet_ins,
        "problems": problems,
    }


def consent(runtime: Runtime, name: str) -> Json | None:
    """Return whether a tenant agrees that his servers are learned from; None: nobody has the name."""
    tenants = runtime.accepted.policy.tenants if runtime.accepted else ()
    tenant = next((each for each in tenants if each.name == name), None)
    if tenant is None:
        return None
    mail = tenant.mail.servers if tenant.mail else ()
    ports: dict[str, set[int]] = {str(server): {_SMTP_PORT} for server in mail}
    for service in tenant.services:
        for server in service.servers if service.protocol is Protocol.TCP else ():
            ports.setdefault(str(server), set()).update(service.ports)
    return {
        "tenant": name,
        "consent": tenant.may_be_learned,
        "addresses": sorted(ports),
        "ports": {server: sorted(ports[server]) for server in sorted(ports)},
        "prefixes": [str(prefix) for prefix in tenant.prefixes],
    }


def explain_cookie(accepted: Accepted, cookie: int) -> Json:
    """Return the rule behind a cookie, where it stands, and every flow that it asked for."""
    if not is_ours(cookie):
        owner = cookie >> COOKIE_OWNER_SHIFT
        return {
            "found": False,
            "why": f"not a cookie of this edge (its owner mark is {owner:#x}, not 0x9057)",
        }
    return _explain(accepted, lambda flow: flow.cookie == cookie, f"no flow has cookie {cookie:#x} now")


def explain_rule(accepted: Accepted, path: str) -> Json:
    """Return the flows that a rule, or any rule below it, asked for."""
    return _explain(
        accepted,
        lambda flow: flow.because == path or flow.because.startswith(f"{path}."),
        f"no flow comes from a rule `{path}`",
    )


def _explain(accepted: Accepted, is_wanted: Any, otherwise: str) -> Json:
    shower = Shower(names_of(accepted.policy))
    rows = [
        {"switch": name, "flow": shower.flow(flow), "cookie": f"{flow.cookie:#x}"}
        for name, state in sorted(accepted.states.items())
        for flow in _in_order(state)
        if is_wanted(flow)
    ]
    if not rows:
        return {"found": False, "why": otherwise}
    rules = sorted({f.because for s in accepted.states.values() for f in s.flows.values() if is_wanted(f)})
    return {
        "found": True,
        "revision": accepted.revision,
        "rules": [{"rule": rule, "place": place_of(accepted.policy, rule)} for rule in rules],
        "flows": rows,
    }


def _in_order(state: SwitchState) -> Iterator[Flow]:
    return iter(sorted(state.flows.values(), key=lambda flow: (flow.table, -flow.priority, flow.cookie)))


def place_of(policy: Policy, rule: str) -> str:
    """Return `file:line:column` of a rule, or of the nearest rule above it."""
    path = rule
    while path:
        if path in policy.places and path != "policy":
            place = policy.places[path]
            return f"{place.file}:{place.line}:{place.column}"
        path = path.rpartition(".")[0]
    return "the edge itself (every policy needs this flow)"


def show_flows(policy: Policy, states: Mapping[str, SwitchState]) -> dict[str, list[str]]:
    """Return the flows of every switch in words."""
    shower = Shower(names_of(policy))
    return {name: shower.state(state) for name, state in sorted(states.items())}


def compare_flows(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> dict[str, Json]:
    """Return, for each switch, the lines that would come and go."""
    changes = {}
    for name in sorted(set(before) | set(after)):
        old, new = set(before.get(name, ())), set(after.get(name, ()))
        changes[name] = {
            "added": [line for line in after.get(name, ()) if line not in old],
            "removed": [line for line in before.get(name, ()) if line not in new],
        }
    return changes
