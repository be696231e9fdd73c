"""What becomes of open sessions when a policy is accepted: which stay, which are led elsewhere, which end.

A connection keeps both its ends, so an edit of rules moves none. It ends if an end is no longer there, or
if another switch becomes the tenant's home. The counts are by the MAC of the end that was called.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.policy.model import Attachment, Member, Policy, Tenant
from controller.pools.conntrack import Counts


@dataclass(frozen=True, slots=True)
class AffectedSessions:
    """`count`: None if it is not known. `text`: what becomes of them, and why."""

    subject: str
    count: int | None
    text: str


@dataclass(frozen=True, slots=True)
class SessionForecast:
    """`whole`: all open sessions; None if they cannot be counted here."""

    whole: int | None
    moved: tuple[AffectedSessions, ...] = ()
    ended: tuple[AffectedSessions, ...] = ()

    @property
    def staying(self) -> int | None:
        """Return how many stay where they are; None: not known."""
        gone = [each.count for each in (*self.moved, *self.ended)]
        if self.whole is None or None in gone:
            return None
        return max(0, self.whole - sum(count or 0 for count in gone))


def forecast(before: Policy, after: Policy, counts: Counts | None) -> SessionForecast:
    """Return what becomes of open sessions. `before`, `after`: with leaving members."""
    census = _Census(counts)
    ended = (*_of_members(before, after, census), *_of_tenants(before, after, census),
             *_of_uplinks(before, after))  # fmt: skip
    whole = sum(counts.sessions.values()) if counts else None
    return SessionForecast(whole, tuple(_moved(before, after, census)), ended)


class _Census:
    def __init__(self, counts: Counts | None) -> None:
        self._counts = counts

    def at(self, mac: str) -> int | None:
        """Return how many sessions an end has that was called."""
        return self._counts.sessions.get(mac, 0) if self._counts else None

    def of_tenant(self, gateways: tuple[Attachment, ...]) -> int | None:
        """Return a tenant's sessions: those of its services, and those of its mail, by their second half."""
        if self._counts is None:
            return None
        both = (self._counts.sessions, self._counts.relayed)
        return sum(counts.get(each.mac, 0) for counts in both for each in gateways)


def _members(policy: Policy) -> dict[str, Member]:
    return {f"{pool.name}.{member.name}": member for pool in policy.pools for member in pool.members}


def _of_members(before: Policy, after: Policy, census: _Census) -> Iterator[AffectedSessions]:
    new = _members(after)
    macs = {member.mac for member in new.values()}
    for path, member in _members(before).items():
        if member.mac not in macs and census.at(member.mac) != 0:
            why = "its MAC changes" if path in new else "it is removed at once"
            yield AffectedSessions(f"member {path}", census.at(member.mac), why)


def _moved(before: Policy, after: Policy, census: _Census) -> Iterator[AffectedSessions]:
    """Yield ends that are reached through another port: packets of their open sessions go there at once."""
    new = {member.mac: member for member in _members(after).values()}
    for path, member in _members(before).items():
        other = new.get(member.mac)
        if other and other.at != member.at and census.at(member.mac) != 0:
            text = f"led to {other.at} instead of {member.at}"
            yield AffectedSessions(f"member {path}", census.at(member.mac), text)


def _of_tenants(before: Policy, after: Policy, census: _Census) -> Iterator[AffectedSessions]:
    new = {tenant.name: tenant for tenant in after.tenants}
    for tenant in before.tenants:
        subject, other = f"tenant {tenant.name}", new.get(tenant.name)
        if other is None:
            yield AffectedSessions(subject, census.of_tenant(tenant.gateways), "it is removed")
        elif other.home != tenant.home:
            why = f"its home moves from {tenant.home} to {other.home}"
            yield AffectedSessions(subject, census.of_tenant(tenant.gateways), why)
        else:
            yield from _of_parts(subject, tenant, other, census)


def _of_parts(subject: str, old: Tenant, new: Tenant, census: _Census) -> Iterator[AffectedSessions]:
    macs = {gateway.mac for gateway in new.gateways}
    for gateway in old.gateways:
        if gateway.mac not in macs and (count := census.of_tenant((gateway,))) != 0:
            yield AffectedSessions(subject, count, f"gateway {gateway.name} with {gateway.mac} is removed")
    for prefix in old.prefixes:
        if not any(prefix.version == each.version and prefix.subnet_of(each) for each in new.prefixes):  # type: ignore[arg-type]
            yield AffectedSessions(subject, None, f"those of {prefix}, which is no longer the tenant's")


def _of_uplinks(before: Policy, after: Policy) -> Iterator[AffectedSessions]:
    macs = {uplink.mac for uplink in after.uplinks}
    for uplink in before.uplinks:
        if uplink.mac not in macs:
            yield AffectedSessions(f"uplink {uplink.name}", None, f"its router {uplink.mac} is removed")
