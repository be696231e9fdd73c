"""State, pools, flows and explanations of a running controller, as plain JSON values. Pure."""

from collections.abc import Mapping

from common.wire.codec import Json
from controller.compiler.names import names_of
from controller.pipeline.flows import SwitchState
from controller.pipeline.show import Shower
from controller.policy.model import Policy
from controller.pools.members import PoolMember
from controller.pools.unheard import UnheardMember
from controller.runtime.commands.members import PoolStatus
from controller.runtime.commands.policy import TenantConsent
from controller.runtime.commands.switches import EdgeStatus, SwitchStatus

_NO_POLICY = EdgeStatus(0, "", (), (), (), (), (), {})


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
        "unheard": list(map(_unheard, known.unheard)),
        "cabling": list(known.cabling),
        "floods": [
            f"{name} is flooded: {rate:.0f} new connections per second, which is above its limit"
            for name, rate in known.floods.items()
        ],
        "unwatched": list(known.unwatched),
    }


def _progress(edge: EdgeStatus) -> Json:
    confirmed = sum(
        switch.is_confirmed and switch.confirmed_revision == edge.revision for switch in edge.switches
    )
    whole = len(edge.switches)
    is_whole = confirmed == whole and not edge.is_held_back
    more = "; a plan waits for its proof" if edge.is_held_back else ""
    return {
        "state": "confirmed" if is_whole else "waiting",
        "summary": f"revision {edge.revision} confirmed on {confirmed} of {whole} switches{more}",
    }


def _switch_row(switch: SwitchStatus, packet_ins: int) -> Json:
    return {
        "name": switch.name,
        "dpid": switch.dpid,
        "connected": switch.is_connected,
        "phase": switch.phase,
        "confirmed_revision": switch.confirmed_revision,
        "confirmed": switch.is_confirmed,
        "busy": switch.is_busy,
        "watched": switch.watched,
        "drift": switch.drift,
        "repairs": switch.repairs,
        "flows": switch.flows,
        "flows_sent": switch.flows_sent,
        "last_plan": switch.last_plan,
        "packet_ins": packet_ins,
        "problems": list(switch.problems),
    }


def _unheard(member: UnheardMember) -> str:
    effect = "new sessions still go to it" if member.takes else "it gets no new sessions"
    who = f"{member.pool}.{member.name}"
    return f"{who} is unheard for {member.seconds:.0f} s, {effect}; remedy: check postern-agent on its host"


def pool_row(pool: PoolStatus, now: float) -> Json:
    """`now`: monotonic."""
    members = [
        {**member_row(share.member, now), "share_percent": share.share_percent} for share in pool.members
    ]
    return {"name": pool.name, "kind": pool.kind, "troubles": list(pool.troubles), "members": members}


def member_row(member: PoolMember, now: float) -> Json:
    """`unheard_s`: for how long its agent has been silent; null: not too long, or it has none."""
    unheard_s = member.unheard_s(now)
    health = "unheard" if unheard_s is not None else member.health.opinion.value
    unheard = "" if unheard_s is None else f"unheard for {unheard_s:.0f} s"
    return {
        "pool": member.pool,
        "name": member.name,
        "state": member.state.value,
        "weight": member.weight,
        "sessions": member.sessions,
        "limit": member.limit,
        "health": health if member.is_probed else "not probed",
        "unheard_s": None if unheard_s is None else round(unheard_s, 1),
        "detail": "; ".join(filter(None, (unheard, member.detail))),
    }


def consent(found: TenantConsent) -> Json:
    return {
        "tenant": found.tenant,
        "consent": found.may_be_learned,
        "addresses": list(found.ports),
        "ports": {server: list(ports) for server, ports in found.ports.items()},
        "prefixes": list(found.prefixes),
    }


def show_flows(policy: Policy, states: Mapping[str, SwitchState]) -> dict[str, list[str]]:
    """Return the flows of every switch in words."""
    shower = Shower(names_of(policy))
    return {name: shower.state(state) for name, state in sorted(states.items())}
