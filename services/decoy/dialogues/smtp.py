"""A decoy's SMTP: it looks like a relay, captures logins and messages, and defers every message.

Behaviour, replies and tolerance are those of Postfix 3.7; the texts are the persona's. A message never
gets a 2xx: its end gets the persona's 4xx (or, over the announced size, the real server's refusal), so
that the mail of a wrongly suspected sender stays in the sender's queue.
"""

import hashlib
import re
from collections.abc import Callable

from services.decoy.dialogues.base import Command, LineDialogue, Message, fill, text_of
from services.decoy.dialogues.capture import Budget, Capture
from services.decoy.dialogues.mail_body import Body, Chunk
from services.decoy.dialogues.mail_path import BadPath, parse_path
from services.decoy.dialogues.sasl import Cancelled, Exchange
from services.personas.model import Smtp

_MOST_ERRORS = 20  # Postfix: smtpd_hard_error_limit
_MOST_RECIPIENTS = 1_000
_NOT_MAIL = re.compile(rb"(?:CONNECT|GET|POST)\b|[^A-Za-z\s]|[A-Za-z-]+:", re.I)


class SmtpDialogue(LineDialogue):
    def __init__(self, speech: Smtp, budget: Budget, nonce: str) -> None:
        super().__init__(speech.replies, {"name": speech.name})
        self._speech, self._budget, self._nonce = speech, budget, nonce
        self._errors = 0
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._exchange: Exchange | None = None
        self._body: Body | Chunk | None = None
        self._capture: Capture | None = None  # while BDAT chunks arrive
        self._is_greeted = False
        self._messages = 0  # transactions that have begun
        self._mark = hashlib.sha256(nonce.encode()).hexdigest()[:12]

    def _greet(self) -> None:
        self._out += fill(self._speech.banner, self._values)

    def _encrypted(self) -> None:
        self._reset()
        self._is_greeted = False

    def _reply(self, reply: str, **values: str) -> bytes:
        return super()._reply(reply, trace=f"{self._mark}-{self._messages}", **values)

    # lines

    def _line(self, line: bytes) -> None:
        if self._exchange is not None:
            self._answer_challenge(self._exchange, line)
            return
        self._note(Command(text_of(line)))
        if not line.strip():
            self._refuse("bad_syntax")
            return
        if _NOT_MAIL.match(line):
            self._refuse("not_mail")
            return
        verb, _, rest = text_of(line.strip()).partition(" ")
        handle = _HANDLERS.get(verb.upper())
        if handle is None:
            self._refuse("unknown")
        else:
            handle(self, rest.strip())

    def _refuse(self, reply: str, **values: str) -> None:
        self._errors += 1
        if self._errors > _MOST_ERRORS:
            self._too_many()
        else:
            self._say(reply, **values)
        if reply in self._speech.hang_up:
            self._end()

    def _helo(self, rest: str) -> None:
        if not rest:
            self._refuse("syntax_helo", command="HELO")
            return
        self._reset()
        self._is_greeted = True
        self._say("helo")

    def _ehlo(self, rest: str) -> None:
        if not rest:
            self._refuse("syntax_helo", command="EHLO")
            return
        self._reset()
        self._is_greeted = True
        hides_tls = self.is_encrypted or self._speech.tls is None
        words = [word for word in self._speech.ehlo if not (hides_tls and word.upper() == "STARTTLS")]
        lines = [self._speech.name, *words]
        marks = ["-"] * (len(lines) - 1) + [" "]
        self._out += b"".join(fill(f"250{m}{line}", {}) for m, line in zip(marks, lines, strict=True))

    def _mail(self, rest: str) -> None:
        if self._sender is not None:
            self._refuse("nested_mail")
            return
        if not self._is_greeted and self._replies["need_ehlo"]:
            self._refuse("need_ehlo")
            return
        path = self._parse("MAIL", rest)
        if path is not None:
            self._sender = path
            self._messages += 1
            self._say("mail", address=path)

    def _rcpt(self, rest: str) -> None:
        if self._sender is None:
            self._refuse("need_mail")
            return
        path = self._parse("RCPT", rest)
        if path is None:
            return
        if not path:
            self._refuse("bad_recipient")
        elif len(self._recipients) >= _MOST_RECIPIENTS:
            self._refuse("too_many_recipients")
        elif self._is_stranger(path):
            self._refuse("unknown_user", address=path)
        else:
            self._take(path)

    def _take(self, path: str) -> None:
        domain = path.rpartition("@")[2].lower()
        is_ours = not self._speech.domains or domain in self._speech.domains or "@" not in path
        reply = self._reply("rcpt" if is_ours else "relay", address=path)
        if reply.startswith(b"2"):
            self._recipients.append(path)
        else:
            self._errors += 1
        self._out += reply

    def _is_stranger(self, path: str) -> bool:
        """Return whether the real server would know that its own domain has no such user."""
        known = self._speech.recipients
        domain = path.rpartition("@")[2].lower()
        return bool(known) and domain in self._speech.domains and path.lower() not in known

    def _parse(self, verb: str, rest: str) -> str | None:
        """Return the address, or none after a refusal."""
        try:
            return parse_path(verb, rest, self._speech.size_limit)
        except BadPath as bad:
            self._refuse(bad.reply, parameter=bad.parameter)
            return None

    def _data(self, rest: str) -> None:
        if not self._recipients:
            self._refuse("no_recipients" if self._sender is not None else "need_rcpt")
        elif rest:
            self._refuse("syntax_data")
        else:
            self._body = Body(Capture(self._budget))
            self._say("data")

    def _bdat(self, rest: str) -> None:
        if "CHUNKING" not in map(str.upper, self._speech.ehlo):
            self._refuse("bdat_off")
            return
        words = rest.split()
        is_last = len(words) == 2 and words[1].upper() == "LAST"
        if not words or not re.fullmatch("[0-9]{1,12}", words[0]) or (len(words) > 1 and not is_last):
            self._refuse("syntax_bdat")
            return
        if self._capture is None:
            self._capture = Capture(self._budget)
        self._body = Chunk(self._capture, int(words[0]), is_last)
        if not int(words[0]):
            self._finish_body()

    def _vrfy(self, rest: str) -> None:
        address = rest.removesuffix(" SMTPUTF8").strip("<> ")
        if not address:
            self._refuse("syntax_vrfy")
        elif self._is_stranger(address):
            self._refuse("unknown_user", address=address)
        else:
            self._say("vrfy", address=address)

    def _etrn(self, rest: str) -> None:
        if not rest:
            self._refuse("syntax_etrn")
        elif re.fullmatch(r"[A-Za-z0-9.\[\]:@#-]+", rest):
            self._refuse("etrn", address=rest)
        else:
            self._refuse("bad_etrn")

    def _rset(self, rest: str) -> None:
        if rest:
            self._refuse("syntax_rset")
            return
        self._reset()
        self._say("rset")

    def _noop(self, rest: str) -> None:
        self._say("noop")

    def _help(self, rest: str) -> None:
        self._say("help")
        self._errors += 1

    def _quit(self, rest: str) -> None:
        self._say("quit")
        self._end()

    def _x(self, rest: str) -> None:
        self._refuse("no_privilege")

    def _starttls(self, rest: str) -> None:
        if self._speech.tls is None:
            self._refuse("unknown")
        elif rest:
            self._refuse("starttls_syntax")
        elif self.is_encrypted:
            self._refuse("tls_active")
        else:
            self._say("starttls")
            self._begin_tls()

    # logins

    def _auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        offered = [word.upper().split()[1:] for word in self._speech.ehlo if word.upper().startswith("AUTH ")]
        if not offered:
            self._catch_unasked(mechanism.upper(), initial)
            self._refuse("auth_off")
        elif not mechanism:
            self._refuse("auth_syntax")
        elif not self._is_greeted:
            self._refuse("need_helo")
        elif mechanism.upper() not in offered[0]:
            self._catch_unasked(mechanism.upper(), initial)
            self._refuse("auth_unknown")
        else:
            self._begin_exchange(mechanism.upper(), initial.strip().encode() or None)

    def _begin_exchange(self, mechanism: str, initial: bytes | None) -> None:
        try:
            exchange = Exchange(mechanism, initial, self._speech.name, self._nonce)
        except Cancelled:
            self._refuse("auth_cancelled")
            return
        self._go_on(exchange)

    def _answer_challenge(self, exchange: Exchange, line: bytes) -> None:
        try:
            exchange.answer(line)
        except Cancelled:
            self._exchange = None
            self._refuse("auth_cancelled")
            return
        self._go_on(exchange)

    def _go_on(self, exchange: Exchange) -> None:
        if exchange.login is None:
            self._exchange = exchange
            self._out += fill("334 " + exchange.challenge, {})
            return
        self._exchange = None
        self._note(exchange.login)
        self._refuse("auth")

    def _catch_unasked(self, mechanism: str, initial: str) -> None:
        """Record a login attempt at a server that offers no login."""
        if not initial or mechanism == "LOGIN":
            return
        try:
            login = Exchange(mechanism, initial.encode(), self._speech.name, self._nonce).login
        except Cancelled:
            return
        if login is not None:
            self._note(login)

    # messages

    def _wants_raw(self) -> bool:
        return self._body is not None

    def _raw(self, data: bytes) -> int:
        assert self._body is not None
        taken = self._body.feed(data)
        if self._body.is_done:
            self._finish_body()
        return taken

    def _finish_body(self) -> None:
        body, self._body = self._body, None
        assert body is not None
        if isinstance(body, Chunk) and not self._recipients:
            body.capture.release()
            self._capture = None
            self._refuse("no_recipients" if self._sender is not None else "need_rcpt")
            return
        if isinstance(body, Chunk) and not body.is_last:
            self._say("chunk", size=str(body.size))
            return
        content = body.capture.finish()
        self._note(Message(self._sender or "", tuple(self._recipients), content))
        is_too_big = content.size > self._speech.size_limit
        self._reset()
        self._say("message_too_big" if is_too_big else "end", size=str(content.size))

    def _reset(self) -> None:
        if self._capture is not None:
            self._capture.release()
        self._capture = None
        self._sender = None
        self._recipients = []

    def close(self) -> None:
        if self._body is not None:
            self._body.capture.release()
        self._reset()


_HANDLERS: dict[str, Callable[[SmtpDialogue, str], None]] = {
    "HELO": SmtpDialogue._helo,
    "EHLO": SmtpDialogue._ehlo,
    "MAIL": SmtpDialogue._mail,
    "RCPT": SmtpDialogue._rcpt,
    "DATA": SmtpDialogue._data,
    "BDAT": SmtpDialogue._bdat,
    "RSET": SmtpDialogue._rset,
    "NOOP": SmtpDialogue._noop,
    "HELP": SmtpDialogue._help,
    "VRFY": SmtpDialogue._vrfy,
    "ETRN": SmtpDialogue._etrn,
    "QUIT": SmtpDialogue._quit,
    "AUTH": SmtpDialogue._auth,
    "STARTTLS": SmtpDialogue._starttls,
    "XCLIENT": SmtpDialogue._x,
    "XFORWARD": SmtpDialogue._x,
}
