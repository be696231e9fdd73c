"""TLS as bytes in and bytes out: decrypts what the client sends, and encrypts what we send."""

import contextlib
import ssl

_PIECE_BYTES = 65_536


class TlsChannel:
    """`receive` raises `ssl.SSLError` if the client's TLS is invalid or not supported."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_ready = False  # the handshake is done
        self.is_over = False  # the client has closed its side of TLS

    @property
    def version(self) -> str:
        return self._tls.version() or ""

    @property
    def cipher(self) -> str:
        found = self._tls.cipher()
        return found[0] if found else ""

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the client; return their plain text. Check `to_send` afterwards."""
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
        """Return the records to send for plain text, and any others that are pending."""
        if data and self.is_ready:
            self._tls.write(data)
        return self.to_send()

    def to_send(self) -> bytes:
        return self._outgoing.read()

    def close(self) -> bytes:
        """Return the close_notify alert (RFC 8446, 6.1)."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        return self.to_send()
