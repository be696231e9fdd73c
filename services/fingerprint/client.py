"""Talks to a server, one connection at a time, with limits on time and bytes."""

import asyncio
import ssl
import time
import warnings
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from services.fingerprint.script import Conversation, Ending, Heard, ScriptStep

_PIECE_BYTES = 65_536
_PARTING_S = 1.0  # how long we wait for the server to close after its last answer


class PortState(StrEnum):
    """How a port answers a connection attempt."""

    OPEN = "open"
    RESET = "reset"
    SILENT = "silent"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Place:
    address: IPv4Address | IPv6Address
    port: int
    name: str = ""  # for SNI


@dataclass(frozen=True, slots=True)
class Manners:
    """How long we wait for a server, and how much we read."""

    connect_s: float = 5.0
    answer_s: float = 10.0
    pause_s: float = 0.2  # between two connections
    port_s: float = 240.0  # for all requests at one port
    most_bytes: int = 256 * 1024  # of one answer


class NoTls(Exception):
    """The handshake failed; the text says how."""


async def knock(place: Place, manners: Manners) -> PortState:
    """Open a connection and close it again."""
    try:
        connection = await Connection.open(place, manners)
    except TimeoutError:
        return PortState.SILENT
    except ConnectionRefusedError:
        return PortState.RESET
    except (ConnectionResetError, BrokenPipeError):  # it opened, and closed before our kernel reported it
        return PortState.OPEN
    except OSError:
        return PortState.UNREACHABLE
    await connection.close()
    return PortState.OPEN


async def converse(place: Place, conversation: Conversation, manners: Manners) -> list[Heard]:
    """Return the answer to each step, up to one that is incomplete. A failure is recorded as its ending."""
    heard: list[Heard] = []
    try:
        connection = await Connection.open(place, manners)
    except OSError as error:
        ending = Ending.SILENT if isinstance(error, TimeoutError) else Ending.RESET
        return [Heard(conversation.steps[0].name or "connection", b"", ending, 0.0)]
    try:
        if conversation.begins_with_tls:
            await connection.encrypt(client_context())
        for number, step in enumerate(conversation.steps):
            answer = await connection.ask(step, is_last=number == len(conversation.steps) - 1)
            heard.append(answer)
            if answer.ending is not Ending.WHOLE or not await _goes_on(connection, step, answer):
                break
    except NoTls as error:
        heard.append(Heard("TLS", str(error).encode(), Ending.NO_TLS, 0.0))
    finally:
        await connection.close()
        await asyncio.sleep(manners.pause_s)
    return heard


async def _goes_on(connection: "Connection", step: ScriptStep, answer: Heard) -> bool:
    if step.stop_after and answer.data.startswith(step.stop_after):
        return False
    if not step.tls_after:
        return True
    if not answer.data.startswith(step.tls_after):
        return False
    await connection.encrypt(client_context())
    return True


async def handshake(
    place: Place, before: tuple[ScriptStep, ...], context: ssl.SSLContext, manners: Manners
) -> ssl.SSLObject:
    """Return the result of one handshake, after the steps before it. Raise `NoTls`."""
    try:
        connection = await Connection.open(place, manners)
    except OSError as error:
        raise NoTls(f"no connection: {type(error).__name__}") from error
    try:
        for step in before:
            answer = await connection.ask(step, is_last=False)
            if answer.ending is not Ending.WHOLE or not answer.data.startswith(step.tls_after):
                raise NoTls("the server did not start TLS")
        return await connection.encrypt(context)
    finally:
        await connection.close()
        await asyncio.sleep(manners.pause_s)


def client_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return a context that accepts any certificate: we only inspect it. Optionally for one version only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Old servers must be recognised as such, so everything that OpenSSL still supports is enabled.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version or ssl.TLSVersion.TLSv1
        if version is not None:
            context.maximum_version = version
    return context


class Connection:
    """One connection as a client. Raise `OSError` from `open` only."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place, manners: Manners
    ) -> None:
        self._reader, self._writer, self._place, self._manners = reader, writer, place, manners

    @classmethod
    async def open(cls, place: Place, manners: Manners) -> "Connection":
        async with asyncio.timeout(manners.connect_s):
            reader, writer = await asyncio.open_connection(str(place.address), place.port)
        return cls(reader, writer, place, manners)

    async def ask(self, step: ScriptStep, is_last: bool) -> Heard:
        begun, data = time.monotonic(), bytearray()
        try:
            async with asyncio.timeout(step.wait_s or self._manners.answer_s):
                self._writer.write(step.say)
                await self._writer.drain()
                ending = await self._listen(step, data)
        except TimeoutError:
            ending = Ending.SILENT
        except (OSError, ssl.SSLError):
            ending = Ending.RESET
        took_s = time.monotonic() - begun
        if step.wait_s and ending is Ending.SILENT:  # silence is a valid answer to this step
            ending = Ending.WHOLE
        elif is_last and ending is Ending.WHOLE:
            ending = await self._look_whether_it_hangs_up()
        return Heard(step.name, bytes(data), ending, took_s)

    async def _listen(self, step: ScriptStep, data: bytearray) -> Ending:
        while not data or not step.whole(bytes(data)):
            piece = await self._reader.read(_PIECE_BYTES)
            if not piece:
                return Ending.CLOSED
            data += piece
            if len(data) > self._manners.most_bytes:
                del data[self._manners.most_bytes :]
                return Ending.TOO_MUCH
        return Ending.WHOLE

    async def _look_whether_it_hangs_up(self) -> Ending:
        try:
            async with asyncio.timeout(_PARTING_S):
                while await self._reader.read(_PIECE_BYTES):
                    pass
        except TimeoutError:
            return Ending.WHOLE
        except (OSError, ssl.SSLError):
            return Ending.RESET
        return Ending.CLOSED

    async def encrypt(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """Raise `NoTls`."""
        name = self._place.name or str(self._place.address)
        try:
            await self._writer.start_tls(
                context, server_hostname=name, ssl_handshake_timeout=self._manners.answer_s
            )
        except (OSError, ssl.SSLError, ValueError) as error:  # an invalid server name is a ValueError
            raise NoTls(getattr(error, "reason", None) or type(error).__name__) from error
        found: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return found

    async def close(self) -> None:
        """Close properly, or abort if the other side does not respond."""
        try:
            async with asyncio.timeout(_PARTING_S):
                self._writer.close()
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except (OSError, ssl.SSLError):  # already closed
            pass
