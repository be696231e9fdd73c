"""TLS as bytes in and bytes out: what the client sent becomes plain text, what we say becomes records."""

import contextlib
import ssl

_PIECE_BYTES = 65_536


class TlsChannel:
    """Raise `ssl.SSLError` from `receive` when the client speaks no TLS that we know."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_ready = False  # the handshake is done
        self.is_over = False  # the client said that nothing more comes

    @property
    def version(self) -> str:
        return self._tls.version() or ""

    @property
    def cipher(self) -> str:
        found = self._tls.cipher()
        return found[0] if found else ""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; return the plain text in them. Look at `to_send` afterwards."""
        self._incoming.write(data)
        plain = bytearray()
        try:
            if not self.is_ready:
                self._tls.do_handshake()
                self.is_ready = True
            while piece := self._tls.read(_PIECE_BYTES):
                plain += piece
            self.is_over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_over = True
        return bytes(plain)

    def send(self, data: bytes) -> bytes:
        """Return the records to send for plain text, and whatever else is due."""
        if data and self.is_ready:
            self._tls.write(data)
        return self.to_send()

    def to_send(self) -> bytes:
        return self._outgoing.read()

    def close(self) -> bytes:
        """Return the farewell (RFC 8446, 6.1)."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        return self.to_send()
