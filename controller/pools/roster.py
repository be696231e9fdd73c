"""All members of all pools, and the changes from each fact. The single place that knows their states."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from common.wire.health import HealthReport
from controller.policy.model import HealthSource, Policy, PortRef
from controller.pools.conntrack import Counts
from controller.pools.flap_damping import Damping
from controller.pools.health import Health, Opinion
from controller.pools.members import BY_RANK, MemberState, PoolMember, StateChanged
from controller.pools.memory import RememberedMember, RememberedNetwork
from controller.pools.slow_start import LONG_AGO, STEPS, Start, starts_after


class UnknownMember(LookupError):
    """No member has this name; the text lists the members."""


class Roster:
    """Each method returns the state changes it made; the order is that of the policy."""

    def __init__(self) -> None:
        self._members: dict[str, PoolMember] = {}  # by path
        self._ports: dict[str, PortRef] = {}
        self._starts: dict[str, Start] = {}  # of members that take new sessions
        self._full_starts: dict[str, Start] = {}  # of full members: they are warm when they have room again
        self._steps: dict[str, int] = {}  # their steps of the slow start at the last check

    @property
    def members(self) -> tuple[PoolMember, ...]:
        return tuple(self._members.values())

    @property
    def resting(self) -> frozenset[str]:
        """Paths of the members that get no new sessions. If all are full, each rejects what is too much."""
        return frozenset(self._members.keys() - self._starts.keys())

    @property
    def unready(self) -> frozenset[str]:
        """Pools without room for a temporary reason: members are full, or none is proved healthy yet.

        So is a pool without room if one of its members is kept from sessions only by what was remembered.
        """
        states_by_pool: dict[str, set[MemberState]] = defaultdict(set)
        for member in self.members:
            states_by_pool[member.pool].add(member.state)
        old_news = {member.pool for member in self.members if member.is_out_by_memory}
        return frozenset(
            pool
            for pool, states in states_by_pool.items()
            if _will_take_some(states) or (pool in old_news and not states & set(BY_RANK))
        )

    @property
    def shares(self) -> dict[str, int]:
        """Weights of members, by path, that differ from the policy's; 0: no new sessions.

        During the slow start of a member, all weights of its pool are multiplied by the number of steps.
        """
        slow_pools = {self._members[path].pool for path, step in self._steps.items() if step < STEPS}
        growing = {
            path: self._members[path].weight * step
            for path, step in self._steps.items()
            if self._members[path].pool in slow_pools
        }
        return {**growing, **dict.fromkeys(self.resting, 0)}

    def on_policy(
        self,
        policy: Policy,
        drained: Iterable[str],
        leaving: Iterable[str] = (),
        newcomer: Health | None = None,
        now: float = 0.0,
    ) -> None:
        """Apply a policy. Members that stay keep their known state; others start with the health `newcomer`.

        `newcomer` is given at the controller's start: members that take sessions then need no slow start.
        """
        known, drained, leaving = self._members, set(drained), set(leaving)
        self._members, self._ports = {}, {}
        for pool in policy.pools:
            for wanted in pool.members:
                member = PoolMember(pool.name, wanted.name, wanted.mac, wanted.weight, wanted.limit)
                before = known.get(member.path, member)
                self._members[member.path] = replace(
                    member,
                    is_drained=member.path in drained,
                    is_leaving=member.path in leaving,
                    has_port=before.has_port,
                    is_port_remembered=before.is_port_remembered,
                    is_probed=pool.health.by is HealthSource.AGENT,
                    health=before.health if member.path in known else newcomer or Health(heard_at=now),
                    is_full=before.is_full and wanted.limit > 0,
                    rules=pool.health,
                    damping=before.damping,
                    is_held=before.is_held,
                    sessions=None if member.path in leaving and not before.is_leaving else before.sessions,
                )
                self._ports[member.path] = wanted.at
        if newcomer is not None:
            self._starts = dict.fromkeys(self._members.keys() - known.keys(), LONG_AGO) | self._starts
        self._look_at_takers(now)

    def copy(self) -> "Roster":
        """Return a roster that can be changed while this one stays."""
        other = Roster()
        other._members, other._ports = dict(self._members), dict(self._ports)
        other._starts, other._full_starts = dict(self._starts), dict(self._full_starts)
        other._steps = dict(self._steps)
        return other

    def remembered(self) -> tuple[RememberedMember, ...]:
        """Return what to remember of the members across a restart."""
        known = (_remembered(member) for member in self.members)
        return tuple(each for each in known if each != RememberedMember(each.path))

    def recall(self, now: float, known: RememberedNetwork) -> None:
        """Apply what was remembered, at the controller's start. Reports and switches confirm it or not."""
        for each in known.members:
            if member := self._members.get(each.path):
                self._members[each.path] = _recalled(now, member, each)
        for path, at in self._ports.items():
            if at in known.ports_down:
                self._members[path] = replace(self._members[path], has_port=False, is_port_remembered=True)
        self._look_at_takers(now)

    def find(self, name: str) -> PoolMember:
        """Return a member by `NAME`, or `POOL.NAME` where several pools have one. Raise `UnknownMember`."""
        found = [each for each in self.members if name in (each.name, f"{each.pool}.{each.name}", each.path)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{each.pool}.{each.name}" for each in (found or self.members))
        reason = f"{name} is a member of several pools" if found else f"no pool has a member {name}"
        raise UnknownMember(f"{reason}; remedy: use one of {names}")

    def on_drained(self, now: float, path: str, is_drained: bool) -> tuple[StateChanged, ...]:
        """An operator drains or resumes a member, which cannot be empty before the next count.

        A resumed member is assumed to be repaired, so its earlier failures are forgotten.
        """

        def look(member: PoolMember) -> PoolMember:
            if member.path != path:
                return member
            damping = member.damping if is_drained else Damping()
            return replace(member, is_drained=is_drained, sessions=None, damping=damping)

        return self._change(now, look)

    def on_ports(self, now: float, switch: str, up: set[int]) -> tuple[StateChanged, ...]:
        """A switch has reported which of its ports are up."""

        def look(member: PoolMember) -> PoolMember:
            at = self._ports[member.path]
            if at.switch != switch:
                return member
            return replace(member, has_port=at.port in up, is_port_remembered=False)

        return self._change(now, look)

    def on_report(self, now: float, path: str, report: HealthReport) -> tuple[StateChanged, ...]:
        def hear(member: PoolMember) -> PoolMember:
            if member.path != path:
                return member
            return replace(member, health=member.health.on_report(now, report, member.rules))

        return self._change(now, hear)

    def on_tick(self, now: float) -> tuple[StateChanged, ...]:
        """A member whose agent stops reporting is down, unless no agent of its pool reports. In that case the
        fault is more likely in the agents, or on the path to the controller, than in the members.
        """
        probed = [member for member in self.members if member.is_probed]
        talking = {member.pool for member in probed if member.health.is_heard(now, member.rules)}

        def listen(member: PoolMember) -> PoolMember:
            is_silent = member.is_probed and member.health.is_silent(now, member.rules)
            if is_silent and member.pool in talking:
                return replace(member, health=member.health.on_silence(member.rules))
            return member

        return self._change(now, listen)

    def on_counts(self, now: float, counts: Counts | None) -> tuple[StateChanged, ...]:
        """Sessions have been counted. None: they cannot be counted, and the last count is outdated."""

        def count(member: PoolMember) -> PoolMember:
            if counts is None:
                return replace(member, sessions=None)
            return member.on_count(counts.sessions.get(member.mac, 0), counts.handshakes.get(member.mac, 0))

        return self._change(now, count)

    def _change(self, now: float, change: Callable[[PoolMember], PoolMember]) -> tuple[StateChanged, ...]:
        changes = []
        for path, before in self._members.items():
            after, hold_s = _damped(now, before, change(before))
            self._members[path] = after
            if after.state is not before.state or (after.is_gone and not before.is_gone):
                changes.append(StateChanged(after, before.state, hold_s))
        self._look_at_takers(now)
        return tuple(changes)

    def _look_at_takers(self, now: float) -> None:
        best: dict[str, MemberState] = {}
        for state in BY_RANK:
            for member in self.members:
                if member.state is state:
                    best.setdefault(member.pool, state)
        takers = [member for member in self.members if member.state is best.get(member.pool)]
        known = self._full_starts | self._starts
        self._starts = starts_after(now, known, takers)
        full = [member.path for member in self.members if member.state is MemberState.FULL]
        self._full_starts = {path: known[path] for path in full if path in known}
        self._steps = {
            member.path: self._starts[member.path].step(now, member.rules.slow_start_s) for member in takers
        }


def _damped(now: float, before: PoolMember, after: PoolMember) -> tuple[PoolMember, float]:
    """Return a member with its damping, and how long it is held down if it has just gone down."""
    hold_s = 0.0
    if before.state in BY_RANK and after.state is MemberState.DOWN:
        after = replace(after, damping=after.damping.on_fall(now, after.rules.hold_down_s))
        hold_s = after.damping.hold_s
    is_held = after.damping.is_holding(now)
    return (after if after.is_held == is_held else replace(after, is_held=is_held)), hold_s


def _remembered(member: PoolMember) -> RememberedMember:
    health, damping = member.health, member.damping
    is_bad = member.is_probed and health.opinion is Opinion.BAD
    return RememberedMember(
        member.path,
        health.opinion if member.is_probed else Opinion.GOOD,
        health.detail if is_bad else "",
        health.failed if is_bad else (),
        health.stale if member.is_probed else "",
        member.is_full,
        len(damping.falls) if member.is_held else 0,
        damping.hold_s if member.is_held else 0.0,
    )


def _recalled(now: float, member: PoolMember, known: RememberedMember) -> PoolMember:
    is_held = known.hold_s > 0
    if member.is_probed:
        health = Health(known.opinion, known.detail, known.failed, 0, now, known.stale, is_remembered=True)
        member = replace(member, health=health)
    return replace(
        member,
        is_full=known.is_full and member.limit > 0,
        damping=Damping((now,) * known.falls, known.hold_s) if is_held else member.damping,
        is_held=is_held,
    )


def _will_take_some(states: set[MemberState]) -> bool:
    best = next((state for state in BY_RANK if state in states), None)
    return states == {MemberState.JOINING} or best is MemberState.FULL
