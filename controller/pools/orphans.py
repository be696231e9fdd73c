"""Sessions of a member that is gone: which must be forgotten, and which initiators must be woken up. Pure.

When a switch has forgotten a session, the session's next packet goes to a live member.
Its kernel does not know the session and answers with a reset, so the sender tries again
at once. A sender that only waits sends nothing. It is woken up with a segment that it
must answer (RFC 9293, 3.10.7.4: a segment outside the window is answered with the right
numbers), and that answer goes to the live member.

A scanner that is down for mail may have an anti-virus agent that still runs and waits for signatures. The
agent is woken up as well. Otherwise it would wait for an answer that the switch no longer lets through.

The tenant's own server is never woken up: its answer would have to bypass the gateways
on the way to the client. Its half of the session ends by its own time-out.

A switch whose process was restarted has forgotten everything. Initiators are woken up
then as well: the answer usually goes to the member that has the session, because the
same addresses and ports select the same bucket, and the session continues.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from controller.pipeline.fields import Zone
from controller.pipeline.zones import may_be_of
from controller.pools.conntrack import Connection

MOST_PER_CUT = 5_000
_WITH_MEMBERS = frozenset({Zone.OUTSIDE, Zone.SCAN, Zone.UPDATE, Zone.CLIENT})
_BY_MEMBERS = frozenset({Zone.RELAY, Zone.SCAN, Zone.UPDATE})


@dataclass(frozen=True, slots=True)
class Cut:
    """What to forget, and of these, the ones whose initiator to wake up."""

    forgotten: tuple[Connection, ...]
    told: tuple[Connection, ...]


def cut(connections: Iterable[Connection], macs: frozenset[int]) -> Cut:
    """Return what to do about the sessions of members with these MACs, `MOST_PER_CUT` at a time."""
    forgotten: list[Connection] = []
    told: list[Connection] = []
    for connection in connections:
        if len(forgotten) >= MOST_PER_CUT:
            break
        is_answered = connection.leg in _WITH_MEMBERS and connection.responder in macs
        is_begun = connection.leg in _BY_MEMBERS and connection.initiator in macs
        if is_answered or is_begun:
            forgotten.append(connection)
        is_told = is_answered and connection.initiator not in macs
        if connection.is_open and (is_told or (is_begun and connection.leg == Zone.UPDATE)):
            told.append(connection)
    return Cut(tuple(forgotten), tuple(told))


def lost(dpid: int, before: Iterable[Connection], now: Iterable[Connection]) -> tuple[Connection, ...]:
    """Return the open connections of our legs that a switch knew and no longer knows."""
    known = {_ends(connection) for connection in now}
    return tuple(
        connection
        for connection in before
        if connection.is_open
        and connection.leg in _WITH_MEMBERS | _BY_MEMBERS
        and may_be_of(connection.zone, dpid)
        and _ends(connection) not in known
    )


def _ends(connection: Connection) -> tuple[object, ...]:
    return (
        connection.zone,
        connection.source,
        connection.source_port,
        connection.destination,
        connection.destination_port,
    )
