"""Compares two looks and returns a list of tells: differences by which a decoy can be recognised. Pure.

Values that change at the same server each time (dates, marks, the client) are not tells. Values that a
persona cannot set (the kernel, timing, keys) are listed separately, as known differences.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.fingerprint.snapshot import PortSeen, Snapshot

_SLOWER_S = 0.5
_LONGEST_QUOTE = 160
_KNOWN_TLS = {"certificate fingerprint": "nobody else has the real server's key"}
_ABSENT = "(nothing)"
_CHANGING: tuple[tuple[re.Pattern[str], str], ...] = (
    # RFC 5322 dates in greetings of Exim and others; POP3's APOP timestamp; Dovecot's command times.
    (re.compile(r"\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d ([+-]\d{4}|GMT|UTC)"), "(a date)"),
    (re.compile(r"<[^<>@\s]{4,80}@([^<>@\s]{1,255})>$", re.M), r"<(a mark)@\1>"),
    (re.compile(r"\[[0-9a-f]{12}-(\d{1,4})\]"), r"[(a trace)-\1]"),
    (re.compile(r"\(\d+\.\d{3} \+ \d+\.\d{3}( \+ \d+\.\d{3})? secs\)"), "(a time)"),
)


@dataclass(frozen=True, slots=True)
class Tell:
    """`what` differs at a port. Texts are quoted, since they come from a server."""

    port: int
    what: str
    real: str
    decoy: str

    def __str__(self) -> str:
        return f"{self.port} {self.what}: real {self.real}, decoy {self.decoy}"


@dataclass(frozen=True, slots=True)
class Comparison:
    tells: tuple[Tell, ...]
    known: tuple[Tell, ...]
    compared: int  # number of facts that were compared


def compare(real: Snapshot, decoy: Snapshot) -> Comparison:
    tells: list[Tell] = []
    known: list[Tell] = []
    compared = 0
    for port in sorted(real.ports.keys() | decoy.ports.keys()):
        seen = (real.ports.get(port), decoy.ports.get(port))
        if seen[0] is None or seen[1] is None:
            words = [_ABSENT if each is None else each.state for each in seen]
            tells.append(Tell(port, "was not examined", *words))
            continue
        compared += _size(seen[0])
        tells += _tells(port, seen[0], seen[1], (real.client, decoy.client))
        known += _known(port, seen[0], seen[1])
    return Comparison(tuple(tells), tuple(known), compared)


def compare_facts(
    port: int, real: Mapping[str, str], decoy: Mapping[str, str], clients: tuple[str, str] = ("", "")
) -> list[Tell]:
    """Return the differences of named texts; `clients` are the addresses of the two observers."""
    tells = []
    for name in [*real, *(name for name in decoy if name not in real)]:
        texts = [
            None if name not in facts else _steady(facts[name], client)
            for facts, client in zip((real, decoy), clients, strict=True)
        ]
        if texts[0] != texts[1]:
            tells.append(Tell(port, name, *_difference(*texts)))
    return tells


def _tells(port: int, real: PortSeen, decoy: PortSeen, clients: tuple[str, str]) -> list[Tell]:
    if real.state != decoy.state:
        tells = [Tell(port, "port", real.state, decoy.state)]
    elif real.protocol != decoy.protocol:
        tells = [Tell(port, "protocol", real.protocol, decoy.protocol)]
    else:
        tells = compare_facts(port, real.facts, decoy.facts, clients)
    hidden = _KNOWN_TLS.keys()
    tells += compare_facts(port, _without(real.tls, hidden), _without(decoy.tls, hidden))
    nmap = compare_facts(port, real.nmap, decoy.nmap)
    return tells + [Tell(port, f"nmap {tell.what}", tell.real, tell.decoy) for tell in nmap]


def _known(port: int, real: PortSeen, decoy: PortSeen) -> list[Tell]:
    known = []
    if real.state == decoy.state and real.kernel and decoy.kernel and real.kernel != decoy.kernel:
        known.append(Tell(port, "kernel", real.kernel, decoy.kernel))
    for name, why in _KNOWN_TLS.items():
        if real.tls.get(name) != decoy.tls.get(name):
            words = (quoted_text(seen.tls.get(name, _ABSENT)[:16]) for seen in (real, decoy))
            known.append(Tell(port, f"{name} ({why})", *words))
    for name in real.took_s.keys() & decoy.took_s.keys():
        times = (real.took_s[name], decoy.took_s[name])
        if abs(times[0] - times[1]) >= _SLOWER_S:
            known.append(Tell(port, f"time of {name}", f"{times[0]:.1f} s", f"{times[1]:.1f} s"))
    return sorted(known, key=lambda tell: tell.what)


def _size(seen: PortSeen) -> int:
    return 1 + len(seen.facts) + len(seen.tls) + len(seen.nmap)


def _without(facts: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: text for name, text in facts.items() if name not in names}


def _steady(text: str, client: str) -> str:
    if client:
        text = text.replace(client, "(the client)")
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text


def _difference(real: str | None, decoy: str | None) -> tuple[str, str]:
    """Return the first lines that differ, quoted."""
    if real is None or decoy is None:
        return tuple(_ABSENT if text is None else quoted_text(text) for text in (real, decoy))  # type: ignore[return-value]
    lines = (real.split("\n"), decoy.split("\n"))
    for number in range(max(map(len, lines))):
        pair = [each[number] if number < len(each) else None for each in lines]
        if pair[0] != pair[1]:
            return _words(pair[0], number), _words(pair[1], number)
    return quoted_text(real), quoted_text(decoy)


def _words(line: str | None, number: int) -> str:
    where = f"line {number + 1} " if number else ""
    return f"{where}{_ABSENT if line is None else quoted_text(line)}"


def quoted_text(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Return a server's text safe for a terminal: one line of printable ASCII, limited in length."""
    cut = text[:longest]
    shown = cut.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{shown}..."' if len(text) > len(cut) else f'"{shown}"'
