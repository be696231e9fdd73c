"""Telnet: the text before login, without the option negotiation, which personas do not have."""

import re

from services.fingerprint.protocols.interface import Facts, Lesson, Speaking
from services.fingerprint.script import Answers, Circumstances, Conversation, ScriptStep, never

_GREETING = "greeting"
_WAIT_S = 4.0  # a greeting has no marked end
_COMMAND = re.compile(rb"\xff(?:\xfa.*?\xff\xf0|[\xfb-\xfe].|[^\xff])", re.DOTALL)  # RFC 854
_PROMPT = re.compile(r"(?:(\S+) )?login: *$", re.I)


def _conversations(_: Circumstances) -> tuple[Conversation, ...]:
    return (Conversation((ScriptStep(_GREETING, b"", never, wait_s=_WAIT_S),)),)


def _text(answers: Answers) -> str:
    heard = answers.get(_GREETING)
    if heard is None:
        return ""
    return _COMMAND.sub(b"", heard.data).decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _learn(answers: Answers, circumstances: Circumstances) -> Lesson:
    lesson = Lesson()
    text = _text(answers)
    prompt = _PROMPT.search(text)
    lesson.fields["banner"] = lesson.clean(text[: prompt.start()] if prompt else text, "banner")
    hostname = (prompt[1] if prompt else "") or circumstances.name.partition(".")[0]
    if not hostname:
        lesson.remarks.append("hostname: invented; the server did not show it before login")
    lesson.fields["hostname"] = lesson.line(hostname or "server", "hostname")
    lesson.remarks.append("users: invented; no login was tried. Add the users that can log in")
    lesson.fields["users"] = {"root": ["root", "toor", "123456", "admin"]}
    return lesson


def _facts(answers: Answers) -> Facts:
    heard = answers.get(_GREETING)
    commands = b"".join(_COMMAND.findall(heard.data)) if heard else b""
    return {_GREETING: _text(answers), "negotiation": commands.hex(" ")}


TELNET = Speaking(_conversations, _learn, _facts)
