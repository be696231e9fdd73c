"""Random frames in random open sessions, by honest and by dishonest senders. A seed decides everything.

A session is whatever a first packet has really opened: it is known by who sent the packet, who got it, and
the addresses that each of them sees. Later frames repeat, answer, forge, damage or quote such sessions.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from controller.pipeline.fields import IpProto
from tests.ovs.frames import craft
from tests.ovs.frames.craft import ACK, FIN, PSH, RST, SYN, URG, Tuple5, ip_frame, packet
from tests.ovs.frames.dissect import dissect
from tests.ovs.frames.hosts import SPECIAL, Cast, Host
from tests.ovs.frames.network import STRANGE_PORT, Arrival, Sent
from tests.ovs.frames.oddities import Oddities
from tests.ovs.frames.openings import ECHO, PORTS, Openings

_REMEMBERED = 12
_ODD_FLAGS = (
    0,
    SYN | RST,
    SYN | FIN,
    FIN | RST,
    SYN | FIN | RST | PSH | ACK | URG,
    FIN,
    PSH,
    URG,
    SYN | RST | ACK,
)
_USUAL_FLAGS = (SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK)
_CLIENT_NUMBER, _SERVER_NUMBER = 1_000, 5_000


@dataclass(frozen=True, slots=True)
class Session:
    """`sent`: the first packet as its sender sent it; `seen`: as its receiver got it."""

    opener: Host
    sent: Tuple5
    answerer: Host
    seen: Tuple5

    def speech_of(self, host: Host) -> Tuple5:
        """Return the tuple under which one of the two parties speaks."""
        return self.sent if host is self.opener else self.seen.reversed()


class Traffic:
    """Draws frames one step at a time; `hear` tells it what became of each."""

    def __init__(self, seed: int, cast: Cast) -> None:
        self._chance = Random(seed)
        self._cast = cast
        self._senders = (*cast.hosts, *(each for each in cast.strangers if each.at.port == STRANGE_PORT))
        self._openings = Openings(self._chance, cast)
        self._oddities = Oddities(self._chance, cast)
        self.sessions: deque[Session] = deque(maxlen=_REMEMBERED)
        self._kinds: tuple[tuple[int, Callable[[], Sequence[Sent]]], ...] = (
            (22, self._open),
            (12, self._anything),
            (12, self._answer),
            (6, self._continue),
            (14, self._repeated_by_another),
            (5, self._wrong_direction),
            (10, self._odd_flags),
            (4, self._out_of_window),
            (10, self._quote),
            (6, self._near_miss),
            (6, self._in_pieces),
            (4, self._dressed),
            (2, self._about_neighbours),
        )

    def forget(self) -> None:
        """Forget all sessions, as when the switch has forgotten its connections."""
        self.sessions.clear()

    def step(self) -> Sequence[Sent]:
        """Return the next frame, or the pieces of one."""
        weights = [weight for weight, _ in self._kinds]
        while True:
            ((_, kind),) = self._chance.choices(self._kinds, weights)
            if frames := kind():
                return frames

    def hear(self, arrivals: Sequence[Arrival]) -> None:
        """Remember the sessions that first packets have opened."""
        for arrival in arrivals:
            sent, seen = dissect(arrival.frame.data).tuple5, dissect(arrival.data).tuple5
            if arrival.frame.what == "first packet" and sent and seen:
                host, at = self._cast.host_at[arrival.frame.at], self._cast.host_at[arrival.at]
                if at.role is None:
                    continue
                self.sessions.append(Session(host, sent, at, seen))

    def _sent(self, host: Host, tuple5: Tuple5, what: str, flags: int = SYN, *numbers: int) -> list[Sent]:
        body = craft.body_of(tuple5, flags, *numbers)
        return [Sent(host.at, ip_frame(host.macs, packet(tuple5, body)), what)]

    def _session(self) -> Session | None:
        return self._chance.choice(self.sessions) if self.sessions else None

    def _open(self) -> Sequence[Sent]:
        opening = self._openings.draw()
        return self._sent(opening.host, opening.tuple5, "first packet", SYN, _CLIENT_NUMBER)

    def _anything(self) -> Sequence[Sent]:
        host = self._chance.choice(self._senders)
        pool = self._cast.addresses if self._chance.random() < 0.8 else SPECIAL
        target = self._chance.choice(pool if self._chance.random() < 0.5 else self._cast.addresses)
        own = host.addresses if self._chance.random() < 0.5 else pool
        if (source := self._openings.like(own, target)) is None:
            return []
        protocol = self._chance.choice(
            (IpProto.TCP, IpProto.TCP, IpProto.UDP, craft.ICMP_OF[target.version], 47)
        )
        ports = self._chance.choice((*PORTS, self._chance.randrange(65536))), self._chance.choice(PORTS)
        if protocol == craft.ICMP_OF[target.version]:
            ports = self._chance.choice((ECHO[target.version], self._chance.randrange(65536))), ports[1]
        flags = self._chance.choice((SYN, SYN, *_USUAL_FLAGS, *_ODD_FLAGS))
        return self._sent(host, Tuple5(protocol, source, target, *ports), "anything", flags)

    def _numbers(self, session: Session, tuple5: Tuple5, flags: int) -> tuple[int, int]:
        """Return sequence and acknowledgement numbers that fit the session."""
        is_start = bool(flags & SYN)
        if tuple5 in (session.sent, session.seen):
            return _CLIENT_NUMBER + (not is_start), _SERVER_NUMBER + 1
        return _SERVER_NUMBER + (not is_start), _CLIENT_NUMBER + 1

    def _spoken(self, host: Host, session: Session, tuple5: Tuple5, what: str, flags: int) -> Sequence[Sent]:
        return self._sent(host, tuple5, what, flags, *self._numbers(session, tuple5, flags))

    def _answer(self) -> Sequence[Sent]:
        if not (session := self._session()):
            return []
        host = session.answerer
        flags = self._chance.choice((SYN | ACK, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST | ACK))
        return self._spoken(host, session, session.speech_of(host), "answer", flags)

    def _continue(self) -> Sequence[Sent]:
        if not (session := self._session()):
            return []
        flags = self._chance.choice((ACK, ACK | PSH, SYN, FIN | ACK, RST))
        return self._spoken(session.opener, session, session.sent, "continued", flags)

    def _tuples(self, session: Session) -> tuple[Tuple5, ...]:
        return session.sent, session.seen, session.sent.reversed(), session.seen.reversed()

    def _repeated_by_another(self) -> Sequence[Sent]:
        if not (session := self._session()):
            return []
        others = [each for each in self._senders if each not in (session.opener, session.answerer)]
        if not others:
            return []
        tuple5 = self._chance.choice(self._tuples(session))
        flags = self._chance.choice(_USUAL_FLAGS)
        return self._spoken(self._chance.choice(others), session, tuple5, "repeated by another", flags)

    def _wrong_direction(self) -> Sequence[Sent]:
        if not (session := self._session()):
            return []
        host, tuple5 = self._chance.choice((
            (session.opener, session.sent.reversed()),
            (session.answerer, session.seen),
            (session.answerer, session.sent),
        ))  # fmt: skip
        return self._spoken(host, session, tuple5, "wrong direction", self._chance.choice(_USUAL_FLAGS))

    def _odd_flags(self) -> Sequence[Sent]:
        if not (session := self._session()) or session.sent.protocol != IpProto.TCP:
            return []
        host = self._chance.choice((session.opener, session.answerer, self._chance.choice(self._senders)))
        tuple5 = self._chance.choice(self._tuples(session))
        return self._spoken(host, session, tuple5, "odd flags", self._chance.choice(_ODD_FLAGS))

    def _out_of_window(self) -> Sequence[Sent]:
        if not (session := self._session()):
            return []
        host = self._chance.choice((session.opener, session.answerer, self._chance.choice(self._senders)))
        tuple5 = self._chance.choice(self._tuples(session))
        numbers = self._chance.randrange(1 << 32), self._chance.randrange(1 << 32)
        return self._sent(host, tuple5, "out of window", self._chance.choice(_USUAL_FLAGS), *numbers)

    def _quote(self) -> Sequence[Sent]:
        if not (session := self._session()):
            return []
        host = self._chance.choice((session.opener, session.answerer, self._chance.choice(self._senders)))
        return self._oddities.quote(host, self._chance.choice(self._tuples(session)))

    def _near_miss(self) -> Sequence[Sent]:
        """Everything as in a session, except for one part."""
        if not (session := self._session()):
            return []
        host = self._chance.choice((session.opener, session.answerer, self._chance.choice(self._senders)))
        tuple5 = self._chance.choice(self._tuples(session))
        other = self._openings.like(self._cast.addresses, tuple5.source) or tuple5.source
        port = self._chance.choice((*PORTS, 40_000))
        changed = self._chance.choice((
            replace(tuple5, source=other),
            replace(tuple5, target=other),
            replace(tuple5, source_port=port),
            replace(tuple5, target_port=port),
        ))  # fmt: skip
        return self._spoken(host, session, changed, "near miss", self._chance.choice(_USUAL_FLAGS))

    def _in_pieces(self) -> Sequence[Sent]:
        if (session := self._session()) and self._chance.random() < 0.6:
            host = self._chance.choice((session.opener, session.answerer, self._chance.choice(self._senders)))
            return self._oddities.pieces(host, self._chance.choice(self._tuples(session)))
        opening = self._openings.draw()
        return self._oddities.pieces(opening.host, opening.tuple5)

    def _dressed(self) -> Sequence[Sent]:
        frames = self._chance.choice((self._open, self._answer, self._repeated_by_another))()
        return [self._oddities.dress(frame) for frame in frames]

    def _about_neighbours(self) -> Sequence[Sent]:
        return self._oddities.about_neighbours(self._chance.choice(self._senders))
