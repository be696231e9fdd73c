"""Sessions of a member that is gone: which must be forgotten, and whose other end must be told. Pure.

A switch that forgets a session hands its next packet to a living member, whose
kernel knows nothing of it and answers with a reset, so the sender tries again at
once. A sender that only waits sends nothing; he is told something that he must
answer (RFC 9293, 3.10.7.4: a segment out of the window is answered with the true
numbers), and that answer meets the living member.

A scanner that is down for its mail may have an anti-virus agent that lives on and waits for signatures. It is
told, too, or it would wait in vain for an answer that the switch does not let through any more.

The tenant's own server is never told: its answer would have to pass to the client
past the gateways. Its half of the session ends by its own time-out.

A switch whose process was started anew has forgotten everything. Whoever began a
session is told then, too: mostly his answer leads to the member that has the session,
because the same addresses and ports choose the same bucket, and it goes on.
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
    """What to forget, and, among these, whose initiator to tell."""

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
    """Return the open connections of our legs that a switch knew and does not know any more."""
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
