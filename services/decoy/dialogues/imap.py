"""A decoy's IMAP, modelled on Dovecot, in the state before login. No login ever succeeds."""

import re

from services.decoy.dialogues.base import Command, LineDialogue, Login, fill, text_of
from services.decoy.dialogues.sasl import Cancelled, Exchange
from services.personas.model import Imap

_MOST_ERRORS = 3  # Dovecot disconnects after this many invalid commands
_MOST_LITERAL_BYTES = 4_096
_LITERAL = re.compile(rb"\{([0-9]{1,9})(\+?)\}$")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_TAG = re.compile(r"[^\s\x00-\x1f(){%*\"\\+]+")


class ImapDialogue(LineDialogue):
    def __init__(self, speech: Imap, nonce: str) -> None:
        super().__init__(speech.replies, {})
        self._speech, self._nonce = speech, nonce
        self._exchange: Exchange | None = None
        self._tag = "*"
        self._parts: list[bytes] = []  # of a command with literals
        self._literal_left = 0
        self._errors = 0

    @property
    def _capabilities(self) -> str:
        hides_tls = self.is_encrypted or self._speech.tls is None
        return " ".join(word for word in self._speech.capabilities if not (hides_tls and word == "STARTTLS"))

    def _greet(self) -> None:
        self._out += fill(self._speech.banner, {"capabilities": self._capabilities})

    def _answer(self, reply: str) -> None:
        self._out += fill(f"{{tag}} {self._replies[reply]}", {"tag": self._tag})

    def _untagged(self, reply: str) -> None:
        self._out += fill(f"* {self._replies[reply]}", {})

    def _too_long(self) -> None:
        self._untagged("too_long")

    def _too_many(self) -> None:
        self._untagged("too_many_errors")
        self._end()

    def _time_out(self) -> None:
        self._untagged("timed_out")

    def _wants_raw(self) -> bool:
        return self._literal_left > 0

    def _raw(self, data: bytes) -> int:
        piece = data[: self._literal_left]
        self._parts[-1] += piece
        self._literal_left -= len(piece)
        return len(piece)

    def _line(self, line: bytes) -> None:
        if self._exchange is not None:
            self._answer_challenge(self._exchange, line)
            return
        literal = _LITERAL.search(line)
        if literal and int(literal[1]) <= _MOST_LITERAL_BYTES and len(self._parts) < 8:
            self._parts += [line[: literal.start()], b""]
            self._literal_left = int(literal[1])
            if not literal[2]:
                self._out += b"+ OK\r\n"
            return
        parts, self._parts = [*self._parts, line], []
        self._command(parts)

    def _command(self, parts: list[bytes]) -> None:
        texts = list(map(text_of, parts))
        self._note(Command("".join(texts)))
        words = _words(texts)
        if len(words) < 2 or not _TAG.fullmatch(words[0]):
            self._tag = words[0] if words and _TAG.fullmatch(words[0]) else "*"
            self._refuse("unknown")
            return
        self._tag = words[0]
        match words[1].upper():
            case "CAPABILITY":
                self._out += fill(f"* CAPABILITY {self._capabilities}", {})
                self._answer("capability_done")
            case "LOGIN":
                self._login(words[2:])
            case "AUTHENTICATE":
                self._authenticate(words[2:])
            case "ID":
                self._untagged("id")
                self._answer("id_done")
            case "NOOP":
                self._answer("noop")
            case "STARTTLS":
                self._starttls()
            case "LOGOUT":
                self._untagged("bye")
                self._answer("logout")
                self._end()
            case _:
                self._refuse("unknown")

    def _refuse(self, reply: str) -> None:
        self._errors += 1
        if self._errors > _MOST_ERRORS:
            self._too_many()
        else:
            self._answer(reply)

    def _login(self, words: list[str]) -> None:
        if len(words) < 2:
            self._refuse("missing")
            return
        self._note(Login("LOGIN", words[0], words[1]))
        self._answer("login_failed")

    def _authenticate(self, words: list[str]) -> None:
        offered = {
            word.removeprefix("AUTH=") for word in self._speech.capabilities if word.startswith("AUTH=")
        }
        if not words:
            self._refuse("missing")
        elif words[0].upper() not in offered:
            self._answer("auth_unknown")
        else:
            try:
                initial = words[1].encode() if len(words) > 1 else None
                self._go_on(Exchange(words[0].upper(), initial, "localhost", self._nonce))
            except Cancelled:
                self._answer("auth_cancelled")

    def _answer_challenge(self, exchange: Exchange, line: bytes) -> None:
        self._exchange = None
        try:
            exchange.answer(line)
        except Cancelled:
            self._answer("auth_cancelled")
            return
        self._go_on(exchange)

    def _go_on(self, exchange: Exchange) -> None:
        if exchange.login is not None:
            self._note(exchange.login)
            self._answer("login_failed")
        else:
            self._exchange = exchange
            self._out += fill("+ " + exchange.challenge, {})

    def _starttls(self) -> None:
        if self._speech.tls is None:
            self._answer("no_starttls")
        elif self.is_encrypted:
            self._answer("starttls_active")
        else:
            self._answer("starttls")
            self._begin_tls()


def _words(texts: list[str]) -> list[str]:
    """Return atoms, quoted strings and literals of a command. Every second text is a literal."""
    words: list[str] = []
    for number, text in enumerate(texts):
        if number % 2:
            words.append(text)
            continue
        for found in _WORD.finditer(text):
            quoted, atom = found.groups()
            words.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else atom)
    return words
