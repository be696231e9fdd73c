"""The trunks between switches: shortest paths, and a bypass around each trunk. Pure.

All paths are shortest ones, counted in trunks, so a packet comes nearer with every
hop and never loops. A bypass is a fixed path around one trunk, used from the moment
when the trunk fails until the controller has sent new flows: packets on it carry the
trunk's own tag, so no switch on the path sends them back.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from controller.policy.model import Policy, PortRef

MAX_TRUNKS = 2047  # two directions each, and a VLAN id has twelve bits of which 0 and 4095 are reserved


@dataclass(frozen=True, slots=True, order=True)
class Trunk:
    """One direction of a link: from the port `near` to the port `far`."""

    near: PortRef
    far: PortRef

    @property
    def back(self) -> "Trunk":
        return Trunk(self.far, self.near)

    @property
    def rule(self) -> str:
        """Path of the policy's rule for this link."""
        a, b = sorted((self.near, self.far))
        return f"links.{a}-{b}"


class Fabric:
    """All paths between the switches of a policy, without the broken trunks."""

    def __init__(self, policy: Policy, broken: Iterable[PortRef] = ()) -> None:
        self._policy = policy
        self._broken = frozenset(broken)
        self._switches = tuple(switch.name for switch in policy.switches)
        self._distances: dict[str, dict[str, int]] = {}

    @cached_property
    def _trunks(self) -> dict[str, list[Trunk]]:
        """Usable trunks by the switch where they begin."""
        found: dict[str, list[Trunk]] = {name: [] for name in self._switches}
        for trunk in sorted(trunks_of(self._policy)):
            if not {trunk.near, trunk.far} & self._broken:
                found[trunk.near.switch].append(trunk)
        return found

    @cached_property
    def tags(self) -> dict[Trunk, int]:
        """The VLAN id of each trunk's bypass, 1 .. 4094, including broken trunks."""
        return {trunk: number for number, trunk in enumerate(sorted(trunks_of(self._policy)), start=1)}

    def trunks_at(self, switch: str) -> list[Trunk]:
        """Return every trunk that begins here, even a broken one: packets may still arrive on it."""
        return [trunk for trunk in self.tags if trunk.near.switch == switch]

    def next_hops(self, here: str, target: str) -> list[Trunk]:
        """Return the first trunks of the shortest paths to `target`; none: there is no path."""
        distances = self._distances_to(target)
        if here not in distances:
            return []
        return [t for t in self._trunks[here] if distances.get(t.far.switch, -2) == distances[here] - 1]

    def is_reachable(self, here: str, target: str) -> bool:
        return here in self._distances_to(target)

    def bypass(self, around: Trunk) -> list[Trunk]:
        """Return the shortest path from one end of a trunk to the other without it; empty: there is none."""
        first_by_switch: dict[str, Trunk] = {}
        waiting = deque([around.near.switch])
        while waiting:
            here = waiting.popleft()
            if here == around.far.switch:
                break
            for trunk in self._trunks[here]:
                there = trunk.far.switch
                if trunk not in (around, around.back) and there not in (*first_by_switch, around.near.switch):
                    first_by_switch[there] = trunk
                    waiting.append(there)
        way: list[Trunk] = []
        at = around.far.switch
        while at != around.near.switch:
            if at not in first_by_switch:
                return []
            way.insert(0, first_by_switch[at])
            at = first_by_switch[at].near.switch
        return way

    @cached_property
    def bypasses(self) -> dict[Trunk, list[Trunk]]:
        """The bypass of every usable trunk that has one."""
        usable = [trunk for trunks in self._trunks.values() for trunk in trunks]
        return {trunk: way for trunk in usable if (way := self.bypass(trunk))}

    def _distances_to(self, target: str) -> dict[str, int]:
        """Return, by switch, how many trunks lie between it and `target`."""
        if target not in self._distances:
            distances = {target: 0}
            waiting = deque([target])
            while waiting:
                here = waiting.popleft()
                for trunk in self._trunks[here]:
                    if trunk.far.switch not in distances:
                        distances[trunk.far.switch] = distances[here] + 1
                        waiting.append(trunk.far.switch)
            self._distances[target] = distances
        return self._distances[target]


def trunks_of(policy: Policy) -> Iterator[Trunk]:
    """Yield both directions of every link."""
    for link in policy.links:
        yield Trunk(link.a, link.b)
        yield Trunk(link.b, link.a)
