"""Connections of an earlier proof, in a form that a later proof with other atoms can take up. Values only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.proof import dims
from controller.proof.atoms import Domain, Prefix, places
from controller.proof.commits import ConnectionSet, Tuple5
from controller.proof.engine import Engine
from controller.proof.space import Space
from controller.proof.ties import Tie

_TUPLE = (dims.PROTO, dims.IP_SRC, dims.IP_DST, dims.SPORT, dims.DPORT)
_CUT = (dims.PROTO, dims.IP_SRC, dims.SPORT, dims.ETH_SRC)  # dimensions that own the domains that are used
Rows = tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """ConnectionSet as masks over the atoms of their own proof."""

    zone: int
    tuple5: tuple[int, ...]
    responder: int
    initiator: int
    translated: int
    senders: tuple[str, ...]
    sources: Rows | None
    targets: Rows | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """All connections that may be open under a proof. `atoms`: the prefixes of its domains, by dimension."""

    atoms: Mapping[int, tuple[Prefix, ...]]
    kept: tuple[_Kept, ...]

    @classmethod
    def of(cls, space: Space, connections: Mapping[int, Sequence[ConnectionSet]]) -> "Earlier":
        atoms = {dim: space.domain(dim).prefixes for dim in _CUT}
        kept = tuple(
            _Kept(
                zone, tuple(each.tuple5), each.responder, each.initiator, each.translated,
                tuple(space.paths(each.senders)), _rows(each.sources), _rows(each.targets),
            )
            for zone, known in connections.items() for each in known
        )  # fmt: skip
        return cls(atoms, kept)

    @property
    def constants(self) -> Iterator[tuple[int, Prefix]]:
        """Yield what a later proof must tell apart as well."""
        for dim, prefixes in self.atoms.items():
            for prefix in prefixes:
                yield dim, prefix

    def within(self, engine: Engine) -> dict[int, list[ConnectionSet]]:
        """Return the connections over the atoms of another proof, whose space has the `constants`."""
        space = engine.space
        turn = {dim: _Turn(prefixes, space.domain(dim)) for dim, prefixes in self.atoms.items()}
        ip, mac, port, proto = turn[dims.IP_SRC], turn[dims.ETH_SRC], turn[dims.SPORT], turn[dims.PROTO]
        place = {sender.path: 1 << number for number, sender in enumerate(space.senders)}
        found: dict[int, list[ConnectionSet]] = {}
        for each in self.kept:
            turns = (proto, ip, ip, port, port)
            tuple5 = Tuple5(*(turn.mask(mask) for turn, mask in zip(turns, each.tuple5, strict=True)))
            found.setdefault(each.zone, []).append(
                ConnectionSet(
                    tuple5, mac.mask(each.responder), mac.mask(each.initiator), ip.mask(each.translated),
                    sum(place.get(path, 0) for path in each.senders),
                    _tie(engine, dims.INITIATOR, dims.IP_SRC, each.sources, mac, ip),
                    _tie(engine, dims.RESPONDER, dims.IP_DST, each.targets, mac, ip),
                )
            )  # fmt: skip
        return found


def _rows(tie: Tie | None) -> Rows | None:
    return tuple(tie.rows.items()) if tie else None


def _tie(  # noqa: PLR0913
    engine: Engine, key: int, dim: int, rows: Rows | None, mac: "_Turn", ip: "_Turn"
) -> Tie | None:
    if rows is None:
        return None
    turned: dict[int, tuple[int, ...]] = {}
    for atom, (mask,) in rows:
        for place in places(mac.mask(1 << atom)):
            turned[place] = (turned.get(place, (0,))[0] | ip.mask(mask),)
    return engine.ties.tie(key, (dim,), turned)


class _Turn:
    """Turns masks over the atoms of one domain into masks over another that has all its prefixes."""

    def __init__(self, prefixes: tuple[Prefix, ...], domain: Domain) -> None:
        self._atoms = list(self._turned(prefixes, domain))
        self._memo: dict[int, int] = {}

    @staticmethod
    def _turned(prefixes: tuple[Prefix, ...], domain: Domain) -> Iterator[int]:
        """Yield, for each old atom, its prefix without those that lay inside it."""
        masks = [domain.masks[prefix] for prefix in prefixes]
        for place, mask in enumerate(masks):
            inside, at = 0, place + 1
            while at < len(masks) and masks[at] & mask == masks[at]:
                inside |= masks[at]
                at += 1
            yield mask & ~inside

    def mask(self, mask: int) -> int:
        found = self._memo.get(mask)
        if found is None:
            found = 0
            for place in places(mask):
                found |= self._atoms[place]
            self._memo[mask] = found
        return found
