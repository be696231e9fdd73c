"""All members of all pools, and what changed with each fact. The single place that knows their states."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from controller.policy.model import HealthSource, Policy, PortRef
from controller.pools.health import Health
from controller.pools.members import Member, StateChanged


class UnknownMember(LookupError):
    """No member has this name; the text names those there are."""


class Roster:
    """Each method returns the state changes it made; the order is that of the policy."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}  # by path
        self._ports: dict[str, PortRef] = {}

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(self._members.values())

    @property
    def resting(self) -> frozenset[str]:
        """Paths of the members that get no new sessions."""
        return frozenset(member.path for member in self.members if not member.takes_new_sessions)

    @property
    def shares(self) -> dict[str, int]:
        """Weight of members, by path, that have another one than the policy says; 0: no new sessions."""
        return dict.fromkeys(self.resting, 0)

    def on_policy(
        self,
        policy: Policy,
        drained: Iterable[str],
        leaving: Iterable[str] = (),
        newcomer: Health | None = None,
    ) -> None:
        """Take up a policy. Members that stay keep what is known of them; others begin as `newcomer`."""
        known, drained, leaving = self._members, set(drained), set(leaving)
        self._members, self._ports = {}, {}
        for pool in policy.pools:
            for wanted in pool.members:
                member = Member(pool.name, wanted.name, wanted.mac, wanted.weight)
                before = known.get(member.path, member)
                self._members[member.path] = replace(
                    member,
                    is_drained=member.path in drained,
                    is_leaving=member.path in leaving,
                    has_port=before.has_port,
                    is_probed=pool.health.by is HealthSource.AGENT,
                    health=before.health if member.path in known else newcomer or Health(),
                    sessions=None if member.path in leaving and not before.is_leaving else before.sessions,
                )
                self._ports[member.path] = wanted.at

    def find(self, name: str) -> Member:
        """Return a member by `NAME`, or `POOL.NAME` where several pools have one. Raise `UnknownMember`."""
        found = [each for each in self.members if name in (each.name, f"{each.pool}.{each.name}", each.path)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{each.pool}.{each.name}" for each in (found or self.members))
        reason = f"{name} is a member of several pools" if found else f"no pool has a member {name}"
        raise UnknownMember(f"{reason}; remedy: use one of {names}")

    def on_drained(self, path: str, is_drained: bool) -> tuple[StateChanged, ...]:
        """An operator said so. The last count may be old, so nobody is empty before the next one."""

        def look(member: Member) -> Member:
            return replace(member, is_drained=is_drained, sessions=None) if member.path == path else member

        return self._change(look)

    def on_ports(self, switch: str, up: set[int]) -> tuple[StateChanged, ...]:
        """A switch told which of its ports are up."""

        def look(member: Member) -> Member:
            at = self._ports[member.path]
            return replace(member, has_port=at.port in up) if at.switch == switch else member

        return self._change(look)

    def on_report(self, now: float, path: str, is_good: bool, detail: str) -> tuple[StateChanged, ...]:
        def hear(member: Member) -> Member:
            if member.path != path:
                return member
            return replace(member, health=member.health.on_report(now, is_good, detail))

        return self._change(hear)

    def on_tick(self, now: float) -> tuple[StateChanged, ...]:
        """A member whose agent falls silent is down; unless nobody of its pool is heard of, which says
        more about agents, or the way to us, than about members.
        """
        probed = [member for member in self.members if member.is_probed]
        talking = {member.pool for member in probed if member.health.is_heard(now)}

        def listen(member: Member) -> Member:
            if member.is_probed and member.health.is_silent(now) and member.pool in talking:
                return replace(member, health=member.health.on_silence())
            return member

        return self._change(listen)

    def on_counts(self, sessions_by_mac: Mapping[str, int]) -> tuple[StateChanged, ...]:
        return self._change(lambda member: replace(member, sessions=sessions_by_mac.get(member.mac, 0)))

    def _change(self, change: Callable[[Member], Member]) -> tuple[StateChanged, ...]:
        changes = []
        for path, before in self._members.items():
            after = self._members[path] = change(before)
            if after.state is not before.state:
                changes.append(StateChanged(after, before.state))
        return tuple(changes)
