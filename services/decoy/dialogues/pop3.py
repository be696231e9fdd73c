"""A decoy's POP3, modelled on Dovecot: it captures and refuses logins."""

from services.decoy.dialogues.base import Command, LineDialogue, Login, fill, text_of
from services.decoy.dialogues.sasl import Cancelled, Exchange
from services.personas.model import Pop3

_MOST_ERRORS = 10
_MECHANISMS = "SASL "


class Pop3Dialogue(LineDialogue):
    def __init__(self, speech: Pop3, nonce: str) -> None:
        super().__init__(speech.replies, {})
        self._speech, self._nonce = speech, nonce
        self._user: str | None = None
        self._exchange: Exchange | None = None
        self._errors = 0

    def _greet(self) -> None:
        self._out += fill(self._speech.banner, {})

    def _line(self, line: bytes) -> None:
        if self._exchange is not None:
            self._answer_challenge(self._exchange, line)
            return
        text = text_of(line)
        self._note(Command(text))
        verb, _, rest = text.partition(" ")
        match verb.upper():
            case "USER":
                self._take_user(rest.strip())
            case "PASS":
                self._take_password(rest)
            case "APOP":
                user, _, digest = rest.partition(" ")
                self._fail(Login("APOP", user, digest))
            case "AUTH":
                self._auth(rest.strip())
            case "CAPA":
                self._say("capa")
                hides_tls = self.is_encrypted or self._speech.tls is None
                words = [word for word in self._speech.capabilities if not (hides_tls and word == "STLS")]
                self._out += fill("\n".join([*words, "."]), {})
            case "STLS":
                self._stls()
            case "QUIT":
                self._say("quit")
                self._end()
            case _:
                self._refuse("unknown")

    def _refuse(self, reply: str) -> None:
        self._errors += 1
        if self._errors > _MOST_ERRORS:
            self._too_many()
        else:
            self._say(reply)

    def _fail(self, login: Login) -> None:
        self._note(login)
        self._user = None
        self._refuse("login_failed")

    def _take_user(self, name: str) -> None:
        if name:
            self._user = name
            self._say("user")
        else:
            self._refuse("missing")

    def _take_password(self, password: str) -> None:
        if self._user is None:
            self._refuse("pass_first")
        else:
            self._fail(Login("USER", self._user, password))

    def _auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        offered = next((word for word in self._speech.capabilities if word.startswith(_MECHANISMS)), "")
        if not mechanism:
            self._out += fill("\n".join(["+OK", *offered.split()[1:], "."]), {})
        elif mechanism.upper() not in offered.split():
            self._refuse("auth_unknown")
        else:
            try:
                self._go_on(Exchange(mechanism.upper(), initial.encode() or None, "localhost", self._nonce))
            except Cancelled:
                self._refuse("auth_cancelled")

    def _answer_challenge(self, exchange: Exchange, line: bytes) -> None:
        self._exchange = None
        try:
            exchange.answer(line)
        except Cancelled:
            self._refuse("auth_cancelled")
            return
        self._go_on(exchange)

    def _go_on(self, exchange: Exchange) -> None:
        if exchange.login is not None:
            self._fail(exchange.login)
        else:
            self._exchange = exchange
            self._out += fill("+ " + exchange.challenge, {})

    def _stls(self) -> None:
        if self._speech.tls is None:
            self._refuse("no_stls")
        elif self.is_encrypted:
            self._refuse("stls_active")
        else:
            self._say("stls")
            self._begin_tls()
