"""The dialogue's dependencies as small protocols: both connections, scanners, a clock, a journal.

`services/mail/io` implements them with sockets and files, tests in memory. A dialogue is a coroutine that
waits only in these ports. It does not run in a task, so neither side may use what needs a task
(asyncio.timeout, current_task).
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.base.clamd import Verdict
from services.mail.events import MailEvent
from services.mail.relay.outcome import RejectedByContent
from services.mail.settings import ScannerAddress


class WireClosed(Exception):
    """The peer has closed the connection; no more bytes will come."""


class WireTimeout(Exception):
    """The peer was slower than its deadline."""


class HandshakeFailed(Exception):
    """TLS was not established; the text says why. The connection is no longer usable."""


class ServerUnreachable(Exception):
    """No connection to the tenant's server, or it closed before its greeting; the text says why."""


class SessionStopped(Exception):
    """The gateway ends the session, because it is shutting down. Raised wherever the dialogue waits."""


class SpoolFull(Exception):
    """The disk is full, or cannot be written."""


class Wire(Protocol):
    """One connection's bytes: a buffer for input, and bounded output."""

    @property
    def buffer(self) -> bytearray:
        """Bytes received and not yet consumed. Always the same object; the dialogue consumes its front."""

    @property
    def is_closed(self) -> bool:
        """Whether the peer has closed its side, or the connection was lost: no more bytes will arrive."""

    @property
    def may_write(self) -> bool:
        """Whether the peer reads fast enough; if not, `drain` before writing more."""

    def more(self, within_s: float) -> Awaitable[None]:
        """Wait until there are more bytes in the buffer. Raise `WireClosed` or `WireTimeout`."""

    def drain(self, within_s: float) -> Awaitable[None]:
        """Wait until the peer has taken enough. Raise `WireClosed` or `WireTimeout`."""

    def write(self, data: bytes) -> None:
        """Send bytes, in order; a lost connection ignores them."""


class Client(Wire, Protocol):
    async def encrypt(self, within_s: float) -> str:
        """Do the TLS handshake as a server and return the cipher. Raise `HandshakeFailed`."""


class ServerWire(Wire, Protocol):
    async def encrypt(self, verifies: bool, within_s: float) -> None:
        """Do the TLS handshake as a client. Raise `HandshakeFailed`."""

    def abort(self) -> None:
        """Close at once, and drop unsent bytes."""


class Server(Protocol):
    """Connects to the tenant's server for one client's session."""

    async def connect(self) -> ServerWire:
        """Return a connection on which the server has begun its greeting. Raise `ServerUnreachable`."""


class Spool(Protocol):
    """Holds one message in wire form until its outcome is known."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    def write(self, piece: bytes) -> None:
        """Append. Raise `SpoolFull`."""

    def read(self) -> Iterator[bytes]:
        """Yield the whole message in pieces, from its beginning."""

    def close(self) -> None:
        """Drop the message."""


class Scanners(Protocol):
    async def scan(self, spool: Spool, scanners: tuple[ScannerAddress, ...]) -> Verdict:
        """Return the verdict on a whole message. Never raises: no answer is `unavailable`."""


class Clock(Protocol):
    """A monotonic clock."""

    @property
    def now(self) -> float:
        """Seconds, at most half a second old; cheap to read."""

    def precise(self) -> float:
        """Seconds, with the system's full precision."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The client broke the protocol; `reason` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class RecipientRefused:
    """The server refused a recipient with this SMTP code."""

    code: int


Observation = Violation | RecipientRefused | Verdict | RejectedByContent


class MailJournal(Protocol):
    """Writes events of one session, and adds the session's fields itself.

    `facts` are for the journal; `observation` is what may be evidence against the client.
    """

    def note(
        self, event: MailEvent, facts: Mapping[str, object], observation: Observation | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What all sessions share."""

    clock: Clock
    scanners: Scanners
    new_spool: Callable[[], Spool]


@dataclass(frozen=True, slots=True)
class Peers:
    """What belongs to one session."""

    client: Client
    server: Server
    journal: MailJournal
