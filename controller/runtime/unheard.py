"""Reports in the journal when a health agent falls silent, and when it reports again."""

from collections.abc import Iterable

from common.journal.journal import Journal
from controller.pools.members import PoolMember
from controller.pools.unheard import UnheardMember, unheard_members
from controller.telemetry.events import ControllerEvent


class UnheardWatch:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[tuple[str, str], UnheardMember] = {}

    def on_tick(self, now: float, members: Iterable[PoolMember], resting: frozenset[str]) -> None:
        before = self._known
        self._known = {(each.pool, each.name): each for each in unheard_members(now, members, resting)}
        for key, member in self._known.items():
            if key not in before:
                self._journal.write(
                    ControllerEvent.MEMBER_UNHEARD,
                    pool=member.pool,
                    member=member.name,
                    seconds=round(member.seconds, 1),
                )
        for pool, name in before.keys() - self._known.keys():
            self._journal.write(ControllerEvent.MEMBER_HEARD_AGAIN, pool=pool, member=name)
