"""Whether a new copy of a feed may replace the last good one. Pure."""

from dataclasses import dataclass

from services.base.settings import Network
from services.sensors.feeds.lists import Contents
from services.sensors.networks import is_barred, is_too_wide
from services.sensors.settings import Guards


@dataclass(frozen=True, slots=True)
class FeedAccepted:
    note_by_network: dict[Network, str]
    left_out: tuple[Network, ...]  # private space and tenants' own prefixes


@dataclass(frozen=True, slots=True)
class FeedRefusal:
    why: str


def judge(
    new: Contents, before: int | None, guards: Guards, tenants: tuple[Network, ...]
) -> FeedAccepted | FeedRefusal:
    """Judge new contents of a feed. `before`: entries of the last good copy (None: there is no copy)."""
    if why := _trouble(new, before, guards):
        return FeedRefusal(why)
    left_out = tuple(network for network in new.note_by_network if is_barred(network, tenants))
    gone = frozenset(left_out)
    kept = {network: note for network, note in new.note_by_network.items() if network not in gone}
    if not kept and not guards.may_be_empty:
        return FeedRefusal("contains only private addresses or tenants' own")
    return FeedAccepted(kept, left_out)


def _trouble(new: Contents, before: int | None, guards: Guards) -> str:
    total = new.read + new.unreadable
    if total and new.unreadable > guards.unreadable_share * total:
        return f"{new.unreadable} of {total} lines cannot be read, such as {new.sample!r}"
    if not new.read and not guards.may_be_empty:
        return "is empty"
    if new.promised is not None and new.promised > new.read + new.unreadable:
        return f"is truncated: it announces {new.promised} entries, but has {new.read}"
    if new.read > guards.most_entries:
        return f"has {new.read} entries, more than {guards.most_entries}"
    if wide := next(filter(is_too_wide, new.note_by_network), None):
        return f"has an entry that is too wide: {wide}"
    if before is not None and new.read < before * (1 - guards.shrink_share):
        return f"shrank from {before} to {new.read} entries"
    return ""
