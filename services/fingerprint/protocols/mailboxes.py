"""POP3 and IMAP: the requests to a mailbox server before login. It never tries to log in."""

from collections.abc import Callable, Iterable

from services.fingerprint.protocols.interface import Lesson, Speaking, encrypted, plain_facts, text_of
from services.fingerprint.script import (
    Answers,
    Circumstances,
    Conversation,
    ScriptStep,
    has_tag,
    is_dotted,
    is_line,
)
from services.personas import catalogue

_GREETING = "greeting"
_POP3_REPLIES = {
    "unknown command": "unknown",
    "USER of nothing": "missing",
    "QUIT": "quit",
    "STLS": "stls",
    "STLS within TLS": "stls_active",
}
_IMAP_REPLIES = {
    "CAPABILITY": "capability_done",
    "NOOP": "noop",
    "ID": "id_done",
    "unknown command": "unknown",
    "LOGIN of nothing": "missing",
    "LOGOUT": "logout",
    "STARTTLS": "starttls",
    "STARTTLS within TLS": "starttls_active",
}


def _pop3_in_clear(_: Circumstances) -> tuple[Conversation, ...]:
    return (
        Conversation(
            (
                ScriptStep(_GREETING, b"", is_line),
                ScriptStep("CAPA", b"CAPA\r\n", is_dotted),
                ScriptStep("unknown command", b"QXFOO\r\n", is_line),
                ScriptStep("USER of nothing", b"USER\r\n", is_line),
                ScriptStep("STAT before a log-in", b"STAT\r\n", is_line),
                ScriptStep("QUIT", b"QUIT\r\n", is_line),
            )
        ),
    )


_POP3_WAY = (ScriptStep("", b"", is_line), ScriptStep("STLS", b"STLS\r\n", is_line, tls_after=b"+OK"))


def _pop3(circumstances: Circumstances) -> tuple[Conversation, ...]:
    steps = (
        *_POP3_WAY,
        ScriptStep("CAPA within TLS", b"CAPA\r\n", is_dotted),
        ScriptStep("STLS within TLS", b"STLS\r\n", is_line),
        ScriptStep("QUIT within TLS", b"QUIT\r\n", is_line),
    )
    return (*_pop3_in_clear(circumstances), Conversation(steps))


def _pop3_capabilities(answers: Answers) -> list[str]:
    lines = (text_of(answers, "CAPA") or "").split("\n")
    return [line for line in lines[1:] if line not in ("", ".")] if lines[0].startswith("+OK") else []


def _pop3_way_to_tls(answers: Answers) -> tuple[ScriptStep, ...] | None:
    return _POP3_WAY if "STLS" in _pop3_capabilities(answers) else None


def _learn_pop3(answers: Answers, _: Circumstances) -> Lesson:
    lesson = Lesson()
    if banner := text_of(answers, _GREETING):
        lesson.fields["banner"] = lesson.line(banner, "banner")
        if "<" in banner and "@" in banner:
            lesson.remarks.append("the greeting has an APOP timestamp; the decoy's is always the same")
    lesson.fields["capabilities"] = [lesson.line(word, "CAPA") for word in _pop3_capabilities(answers)]
    _add_replies(lesson, _POP3_REPLIES, answers, catalogue.POP3, lambda text: text)
    if capa := (text_of(answers, "CAPA") or "").split("\n")[0]:
        _add_reply(lesson, "capa", lesson.line(capa, "CAPA"), catalogue.POP3)
    return lesson


def _imap_in_clear(_: Circumstances) -> tuple[Conversation, ...]:
    tagged = (
        ("CAPABILITY", "CAPABILITY"),
        ("NOOP", "NOOP"),
        ("ID", "ID NIL"),
        ("unknown command", "QXFOO"),
        ("LOGIN of nothing", "LOGIN"),
        ("LOGOUT", "LOGOUT"),
    )
    steps = [
        ScriptStep(name, f"a{number} {line}\r\n".encode(), has_tag(b"a%d" % number))
        for number, (name, line) in enumerate(tagged)
    ]
    odd = (
        ScriptStep("", b"", is_line),
        ScriptStep("a word alone", b"QXFOO\r\n", is_line),
        _logout("LOGOUT after that"),
    )
    return Conversation((ScriptStep(_GREETING, b"", is_line), *steps)), Conversation(odd)


def _logout(name: str) -> ScriptStep:
    return ScriptStep(name, b"a9 LOGOUT\r\n", has_tag(b"a9"))


_IMAP_WAY = (
    ScriptStep("", b"", is_line),
    ScriptStep("STARTTLS", b"a0 STARTTLS\r\n", has_tag(b"a0"), tls_after=b"a0 OK"),
)


def _imap(circumstances: Circumstances) -> tuple[Conversation, ...]:
    steps = (
        *_IMAP_WAY,
        ScriptStep("CAPABILITY within TLS", b"a1 CAPABILITY\r\n", has_tag(b"a1")),
        ScriptStep("STARTTLS within TLS", b"a2 STARTTLS\r\n", has_tag(b"a2")),
        _logout("LOGOUT within TLS"),
    )
    return (*_imap_in_clear(circumstances), Conversation(steps))


def _imap_capabilities(answers: Answers) -> list[str]:
    for line in (text_of(answers, "CAPABILITY") or "").split("\n"):
        if line.upper().startswith("* CAPABILITY "):
            return line.split()[2:]
    return []


def _imap_way_to_tls(answers: Answers) -> tuple[ScriptStep, ...] | None:
    return _IMAP_WAY if "STARTTLS" in _imap_capabilities(answers) else None


def _learn_imap(answers: Answers, _: Circumstances) -> Lesson:
    lesson = Lesson()
    words = _imap_capabilities(answers)
    lesson.fields["capabilities"] = [lesson.line(word, "CAPABILITY") for word in words]
    if banner := text_of(answers, _GREETING):
        listed = f"[CAPABILITY {' '.join(words)}]"
        lesson.fields["banner"] = lesson.line(banner, "banner").replace(listed, "[CAPABILITY {capabilities}]")
    _add_replies(lesson, _IMAP_REPLIES, answers, catalogue.IMAP, _without_tag)
    for name, reply in (("ID", "id"), ("LOGOUT", "bye")):
        if untagged := _first_untagged(answers, name):
            _add_reply(lesson, reply, lesson.line(untagged, name), catalogue.IMAP)
    return lesson


def _without_tag(text: str) -> str:
    """Return the tagged line, without its tag."""
    return text.split("\n")[-1].partition(" ")[2]


def _first_untagged(answers: Answers, name: str) -> str:
    line = (text_of(answers, name) or "").split("\n")[0]
    return line.removeprefix("* ") if line.startswith("* ") else ""


def _add_replies(
    lesson: Lesson,
    reply_by_step: dict[str, str],
    answers: Answers,
    usual: dict[str, str],
    taken_from: Callable[[str], str],
) -> None:
    for name in _in(answers, reply_by_step):
        text = taken_from(text_of(answers, name) or "")
        if text:
            _add_reply(lesson, reply_by_step[name], lesson.line(text, name), usual)


def _in(answers: Answers, names: Iterable[str]) -> list[str]:
    return [name for name in names if text_of(answers, name)]


def _add_reply(lesson: Lesson, reply: str, text: str, usual: dict[str, str]) -> None:
    if text != usual[reply]:
        lesson.fields.setdefault("replies", {})[reply] = text


POP3 = Speaking(_pop3, _learn_pop3, plain_facts, _pop3_way_to_tls)
POP3S = Speaking(lambda each: encrypted(_pop3_in_clear(each)), _learn_pop3, plain_facts, begins_with_tls=True)
IMAP = Speaking(_imap, _learn_imap, plain_facts, _imap_way_to_tls)
IMAPS = Speaking(lambda each: encrypted(_imap_in_clear(each)), _learn_imap, plain_facts, begins_with_tls=True)
