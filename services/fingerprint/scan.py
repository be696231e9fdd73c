"""Looks at a server, one port after the other: which service answers, what it sends, how it encrypts."""

import asyncio
import socket
from dataclasses import dataclass, field

from services.fingerprint.client import (
    Manners,
    NoTls,
    Place,
    PortState,
    client_context,
    converse,
    handshake,
    knock,
)
from services.fingerprint.encryption import look_at_tls
from services.fingerprint.protocols.detection import ASKING, LISTENING, SPEAKING, USUAL, recognise
from services.fingerprint.script import Circumstances, Ending, Heard
from services.fingerprint.snapshot import PortSeen
from services.fingerprint.tcp_fingerprint import look_at_kernel
from services.personas.model import Address, Protocol


@dataclass(frozen=True, slots=True)
class Target:
    """The ports of an address; `protocols` for ports with another protocol than their number suggests."""

    address: Address
    ports: tuple[int, ...]
    protocols: dict[int, Protocol] = field(default_factory=dict)
    name: str = ""
    domain: str = ""

    @property
    def circumstances(self) -> Circumstances:
        return Circumstances(str(self.address), own_address(self.address), self.name, self.domain)

    def place(self, port: int) -> Place:
        return Place(self.address, port, self.name)


@dataclass(slots=True)
class Sighting:
    """What was seen at one port, before it becomes facts or keys of a persona."""

    state: PortState
    protocol: Protocol | None = None
    answers: dict[str, Heard] = field(default_factory=dict)
    tls: dict[str, str] = field(default_factory=dict)
    kernel: str = ""
    ttl: int = 0  # of the answer to a SYN; 0: not seen
    window: int = 0

    def to_seen(self) -> PortSeen:
        facts = SPEAKING[self.protocol].facts(self.answers) if self.protocol else {}
        took_s = {name: round(heard.took_s, 3) for name, heard in self.answers.items()}
        protocol = self.protocol.value if self.protocol else ""
        return PortSeen(self.state.value, protocol, facts, self.tls, kernel=self.kernel, took_s=took_s)


def own_address(address: Address) -> str:
    """Return our source address for a destination; nothing is sent. Raise `OSError` if there is no route."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(address), 9))
        return str(probe.getsockname()[0])


async def look_at(target: Target, manners: Manners) -> dict[int, Sighting]:
    """Return what was seen at each port. Raise `OSError` if there is no route to the address."""
    circumstances = target.circumstances
    return {
        port: await look_at_port(target.place(port), target.protocols.get(port), circumstances, manners)
        for port in target.ports
    }


async def look_at_port(
    place: Place, protocol: Protocol | None, circumstances: Circumstances, manners: Manners
) -> Sighting:
    first = await look_at_kernel(place, manners)
    sighting = Sighting(await knock(place, manners))
    if first is not None:
        sighting.kernel, sighting.ttl, sighting.window = str(first), first.ttl, first.window
    await asyncio.sleep(manners.pause_s)
    if sighting.state is not PortState.OPEN:
        return sighting
    try:
        async with asyncio.timeout(manners.port_s):
            sighting.protocol = protocol or USUAL.get(place.port) or await _guess(place, manners)
            await _talk(sighting, place, circumstances, manners)
    except TimeoutError:
        sighting.answers["all of it"] = Heard("all of it", b"", Ending.SILENT, manners.port_s)
    return sighting


async def _talk(sighting: Sighting, place: Place, circumstances: Circumstances, manners: Manners) -> None:
    """Record each answer as it arrives, so that answers are kept if time runs out."""
    assert sighting.protocol is not None
    speaking = SPEAKING[sighting.protocol]
    for conversation in speaking.conversations(circumstances):
        for heard in await converse(place, conversation, manners):
            if heard.name:
                sighting.answers.setdefault(heard.name, heard)
    before = () if speaking.begins_with_tls else speaking.way_to_tls(sighting.answers)
    if before is not None:
        sighting.tls.update(await look_at_tls(place, before, manners))


async def _guess(place: Place, manners: Manners) -> Protocol:
    """Detect the protocol of an unknown port: listen, send a browser's request, try TLS."""
    for conversation in (LISTENING, ASKING):
        for heard in await converse(place, conversation, manners):
            if found := recognise(heard.data):
                return found
            if heard.data:
                return Protocol.BANNER
    try:
        await handshake(place, (), client_context(), manners)
    except NoTls:
        return Protocol.BANNER
    return Protocol.HTTPS
