"""What the controller tells servers and builder: who asks from which addresses for which ring, and what
becomes of what decoys catch."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from services.antivirus.formats import RINGS
from services.base.settings import Address, Reader, read_top


class Immunity(StrEnum):
    """What the builder does by itself with what decoys catch."""

    OFF = "off"
    SIMULATE = "simulate"
    ON = "on"


@dataclass(frozen=True, slots=True)
class SignatureClient:
    """A tenant, or a pool of scanners. `sources`: what the server sees as their addresses."""

    name: str
    kind: str  # tenant or pool
    ring: str
    sources: tuple[Address, ...]


@dataclass(frozen=True)
class Settings:
    revision: int
    pool: str
    port: int
    addresses: tuple[Address, ...]
    immunity: Immunity
    askers: tuple[SignatureClient, ...]

    @cached_property
    def asker_by_source(self) -> dict[Address, SignatureClient]:
        return {source: asker for asker in self.askers for source in asker.sources}


def parse_settings(text: str) -> Settings:
    """Raise `SettingsError` on anything that is not exactly what we understand."""
    top = read_top(text)
    top.one_of("role", ("antivirus",), "")
    return Settings(
        revision=top.take("revision", int, 0),
        pool=top.take("pool", str),
        port=top.port("port"),
        addresses=tuple(top.addresses("addresses")),
        immunity=Immunity(top.one_of("immunity", tuple(Immunity), "")),
        askers=tuple(map(_read_asker, top.records("clients"))),
    )


def _read_asker(reader: Reader) -> SignatureClient:
    return SignatureClient(
        reader.take("name", str),
        reader.one_of("kind", ("tenant", "pool"), ""),
        reader.one_of("ring", RINGS, ""),
        tuple(reader.addresses("sources")),
    )
