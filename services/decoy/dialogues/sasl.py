"""SASL logins, shared by SMTP, POP3 and IMAP: the credentials are captured, and always refused."""

import base64
import binascii

from services.decoy.dialogues.base import Login, text_of

_PROMPTS = {"LOGIN": ("Username:", "Password:"), "CRAM-MD5": ("<{nonce}@{name}>",)}


class Cancelled(Exception):
    """The client sent `*` (RFC 4954, 4), or invalid base64."""


class Exchange:
    """One login attempt. `challenge` is to be sent next; `login` is set when the exchange is complete."""

    def __init__(self, mechanism: str, initial: bytes | None, name: str, nonce: str) -> None:
        self.mechanism = mechanism
        self._heard: list[str] = []
        self._prompts = [text.format(nonce=nonce, name=name) for text in _PROMPTS.get(mechanism, ("",))]
        self.login: Login | None = None
        if initial is not None:
            self.answer(b"" if initial == b"=" else initial)

    @property
    def challenge(self) -> str:
        """Return the next challenge in base64."""
        return base64.b64encode(self._prompts[len(self._heard)].encode()).decode()

    def answer(self, line: bytes) -> None:
        """Take the client's answer. Raise `Cancelled`."""
        if line.strip() == b"*":
            raise Cancelled
        try:
            self._heard.append(text_of(base64.b64decode(line.strip(), validate=True)))
        except (binascii.Error, ValueError) as error:
            raise Cancelled from error
        if len(self._heard) == len(self._prompts):
            self.login = self._to_login()

    def _to_login(self) -> Login:
        if self.mechanism == "LOGIN":
            return Login(self.mechanism, self._heard[0], self._heard[1])
        if self.mechanism == "CRAM-MD5":
            user, _, digest = self._heard[0].rpartition(" ")
            return Login(self.mechanism, user, digest)
        parts = self._heard[0].split("\0", 2)
        return Login(self.mechanism, *(parts[-2:] if len(parts) > 1 else (parts[0], "")))
