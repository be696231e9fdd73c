"""SMTP: the requests to a mail server, up to where a message would begin, and never further.

No conversation has more errors than Postfix answers without delay (smtpd_soft_error_limit is 10).
"""

import re
from dataclasses import dataclass, replace

from services.fingerprint.protocols.interface import Lesson, Speaking, encrypted, plain_facts, text_of
from services.fingerprint.script import (
    Answers,
    Circumstances,
    Conversation,
    Ending,
    ScriptStep,
    is_numbered_reply,
)
from services.personas import catalogue

GREETING, EHLO, HELO = "greeting", "EHLO", "HELO"
_UNKNOWN_USER, _RELAY, _POSTMASTER = "RCPT of nobody", "RCPT elsewhere", "RCPT of postmaster"
_NOBODY, _ELSEWHERE = "qx7-nobody", "nobody@relay.invalid"
TRACE = re.compile(r"\[[0-9a-f]{12}-[0-9]{1,4}\]")  # our gateways mark their own refusals
_REPLY_CODE = re.compile(r"[1-5][0-9][0-9]([ -]|$)")


@dataclass(frozen=True, slots=True)
class _Question:
    """A command, and the persona's reply that its answer becomes; `word` in the answer becomes `blank`."""

    name: str
    line: str
    reply: str = ""
    word: str = ""
    blank: str = "{address}"


_BAD_OPTION = "QXOPTION=1"
_MANNERED = (
    _Question("NOOP", "NOOP", "noop"),
    _Question("RSET", "RSET", "rset"),
    _Question("HELP", "HELP", "help"),
    _Question("VRFY", "VRFY postmaster", "vrfy", "postmaster"),
    _Question("VRFY of nothing", "VRFY", "syntax_vrfy"),
    _Question("unknown command", "QXFOO", "unknown"),
    _Question("empty line", "", "bad_syntax"),
    _Question("QUIT", "QUIT", "quit"),
)
_UNMANNERED = (
    _Question("HELO without a name", "HELO", "syntax_helo", "HELO", "{command}"),
    _Question(HELO, "HELO qx7.invalid", "helo"),
    _Question("RCPT before MAIL", "RCPT TO:<postmaster>", "need_mail"),
    _Question("DATA before MAIL", "DATA", "need_rcpt"),
    _Question("RSET with a word", "RSET x", "syntax_rset"),
    _Question("ETRN of nothing", "ETRN", "syntax_etrn"),
    _Question("ETRN", "ETRN qx7.invalid", "etrn", "qx7.invalid"),
    _Question("STARTTLS with a word", "STARTTLS x"),
    _Question("AUTH of nothing", "AUTH"),
    _Question("QUIT after mistakes", "QUIT"),
)
_ENVELOPE = (
    _Question("MAIL of nothing", "MAIL", "syntax_mail"),
    _Question("MAIL with spaces", "MAIL FROM:<a b>", "bad_sender"),
    _Question("MAIL with an odd option", f"MAIL FROM:<> {_BAD_OPTION}", "bad_parameter", _BAD_OPTION,
              "{parameter}"),
    _Question("MAIL", "MAIL FROM:<>", "mail"),
    _Question("second MAIL", "MAIL FROM:<>", "nested_mail"),
    _Question("RCPT of nothing", "RCPT", "syntax_rcpt"),
    _Question("RCPT of <>", "RCPT TO:<>", "bad_recipient"),
)  # fmt: skip
_END_OF_ENVELOPE = (_Question("DATA without recipients", "DATA", "no_recipients"),)
_RECIPIENTS = (
    _Question(_UNKNOWN_USER, f"RCPT TO:<{_NOBODY}@DOMAIN>", "unknown_user", f"{_NOBODY}@DOMAIN"),
    _Question(_RELAY, f"RCPT TO:<{_ELSEWHERE}>", "relay", _ELSEWHERE),
)
_ACCEPTED = (
    _Question(_POSTMASTER, "RCPT TO:<postmaster@DOMAIN>", "rcpt", "postmaster@DOMAIN"),
    _Question("RSET after RCPT", "RSET"),
)
_UNGREETED = (_Question("MAIL before EHLO", "MAIL FROM:<>"), _Question("BDAT of nothing", "BDAT"))
# Last, because Postfix refuses every MAIL after this one.
_TOO_MUCH = (_Question("MAIL of 999 GB", "MAIL FROM:<> SIZE=999999999999", "too_big"),)
_WEB = (_Question("HTTP", "GET / HTTP/1.0", "not_mail"),)
_QUESTIONS = (
    *_MANNERED, *_UNMANNERED, *_ENVELOPE, *_END_OF_ENVELOPE, *_RECIPIENTS, *_ACCEPTED, *_UNGREETED,
    *_TOO_MUCH, *_WEB,
)  # fmt: skip


def _conversations(circumstances: Circumstances) -> tuple[Conversation, ...]:
    greeting, greeted = ScriptStep(GREETING, b"", is_numbered_reply), ScriptStep("", b"", is_numbered_reply)
    ehlo = _ehlo("", circumstances)

    def asked(*questions: _Question) -> tuple[ScriptStep, ...]:
        return tuple(_step(question, circumstances) for question in questions)

    talks = [
        (greeting, _ehlo(EHLO, circumstances), *asked(*_MANNERED)),
        (greeted, *asked(*_UNMANNERED)),
        (greeted, ehlo, *asked(*_ENVELOPE, *_END_OF_ENVELOPE)),
        (greeted, *asked(*_UNGREETED)),
        (greeted, ehlo, *asked(*_TOO_MUCH)),
        (greeted, *asked(*_WEB)),
    ]
    if circumstances.domain:
        mail = ScriptStep("", b"MAIL FROM:<>\r\n", is_numbered_reply)
        talks.append((greeted, ehlo, mail, *asked(*_RECIPIENTS, *_ACCEPTED)))
    return tuple(map(Conversation, talks))


def _ehlo(name: str, circumstances: Circumstances) -> ScriptStep:
    return ScriptStep(name, f"EHLO {circumstances.literal}\r\n".encode(), is_numbered_reply)


def _step(question: _Question, circumstances: Circumstances) -> ScriptStep:
    line = question.line.replace("DOMAIN", circumstances.domain)
    # Nothing more is asked of a server that would accept a message without recipients.
    return ScriptStep(question.name, f"{line}\r\n".encode(), is_numbered_reply, stop_after=b"354")


def _conversations_from_clear_to_tls(circumstances: Circumstances) -> tuple[Conversation, ...]:
    *before, starttls = _WAY_TO_TLS
    steps = (
        *before,
        replace(starttls, name="STARTTLS"),
        _ehlo("EHLO within TLS", circumstances),
        ScriptStep("STARTTLS within TLS", b"STARTTLS\r\n", is_numbered_reply),
        ScriptStep("QUIT within TLS", b"QUIT\r\n", is_numbered_reply),
    )
    return (*_conversations(circumstances), Conversation(steps))


_WAY_TO_TLS = (
    ScriptStep("", b"", is_numbered_reply),
    ScriptStep("", b"EHLO [127.0.0.1]\r\n", is_numbered_reply),
    ScriptStep("", b"STARTTLS\r\n", is_numbered_reply, tls_after=b"220"),
)


def _way_to_tls(answers: Answers) -> tuple[ScriptStep, ...] | None:
    return _WAY_TO_TLS if "STARTTLS" in map(str.upper, keywords_of(answers)) else None


def keywords_of(answers: Answers) -> list[str]:
    """Return what EHLO announces, in its order."""
    lines = (text_of(answers, EHLO) or "").split("\n")
    return [line[4:].strip() for line in lines[1:] if line[4:].strip()]


def _learn(answers: Answers, circumstances: Circumstances) -> Lesson:
    lesson = Lesson()
    name = _name_of(answers)
    if not name:
        lesson.remarks.append("the server did not give its name in the reply to EHLO or HELO")
    lesson.fields["name"] = lesson.line(name or circumstances.name or "localhost", "name")
    if banner := text_of(answers, GREETING):
        lesson.fields["banner"] = lesson.clean(banner, "banner")
    lesson.fields["ehlo"] = [lesson.line(word, "ehlo") for word in keywords_of(answers)]
    _learn_recipients(lesson, answers, circumstances)
    replies = _replies(lesson, answers, circumstances)
    if replies:
        lesson.fields["replies"] = replies
    hang_up = _hang_up(answers)
    if set(hang_up) != set(catalogue.SMTP_HANGS_UP):
        lesson.fields["hang_up"] = hang_up
    return lesson


def _hang_up(answers: Answers) -> list[str]:
    """Return the refusals after which the server closed; for refusals that it never gave, as Postfix does."""
    asked = {each.reply: answers[each.name].ending is Ending.CLOSED for each in _with_reply(answers)}
    closes = {name for name, is_closed in asked.items() if is_closed and name != "quit"}
    return sorted(closes | {name for name in catalogue.SMTP_HANGS_UP if name not in asked})


def _name_of(answers: Answers) -> str:
    for answer in (EHLO, HELO):
        text = text_of(answers, answer)
        if text and text.startswith("250") and text[4:].split():
            return text[4:].split()[0]
    return ""


def _learn_recipients(lesson: Lesson, answers: Answers, circumstances: Circumstances) -> None:
    if not circumstances.domain:
        lesson.remarks.append(
            "without --domain no recipients were tried: the decoy accepts all, like a relay"
        )
        return
    lesson.fields["domains"] = [circumstances.domain]
    if (text_of(answers, _UNKNOWN_USER) or "").startswith("5"):
        is_taken = (text_of(answers, _POSTMASTER) or "").startswith("2")
        lesson.fields["recipients"] = [f"{'postmaster' if is_taken else 'somebody'}@{circumstances.domain}"]
        lesson.remarks.append("recipients: add the real server's valid addresses; all others are refused")


def _replies(lesson: Lesson, answers: Answers, circumstances: Circumstances) -> dict[str, str]:
    """Return replies by name, except those that are a persona's defaults."""
    replies: dict[str, str] = {}
    for question in _with_reply(answers):
        text = text_of(answers, question.name)
        if text is None:
            continue
        word = question.word.replace("DOMAIN", circumstances.domain)
        if word:
            text = text.replace(word, question.blank)
        text = TRACE.sub("[{trace}]", text)
        if not all(_REPLY_CODE.match(line) for line in text.split("\n")):
            lesson.remarks.append(f"{question.name}: the answer is not a valid SMTP reply, and was left out")
            continue
        if question.reply == "rcpt" and not text.startswith("2"):
            continue
        if not _is_expected(question.reply, text):
            lesson.remarks.append(f"{question.name}: answered {text[:3]}, which a decoy cannot send here")
            continue
        usual = catalogue.SMTP[question.reply].replace("{name}", lesson.fields["name"])
        if "qx7.invalid" in text or circumstances.client in text:
            lesson.remarks.append(
                f"{question.name}: the server repeats the client's name or address; the decoy does not"
            )
        if text != usual:
            replies[question.reply] = lesson.clean(text, question.name)
    return replies


def _with_reply(answers: Answers) -> list[_Question]:
    questions = [question for question in _QUESTIONS if question.reply and question.name in answers]
    tls = [_Question("STARTTLS", "", "starttls"), _Question("STARTTLS within TLS", "", "tls_active")]
    auth = "auth_syntax" if any(k.upper().startswith("AUTH ") for k in keywords_of(answers)) else "auth_off"
    has_tls = "STARTTLS" in map(str.upper, keywords_of(answers))
    if has_tls:
        questions += [_Question("STARTTLS with a word", "", "starttls_syntax"), *tls]
    questions.append(_Question("AUTH of nothing", "", auth))
    if "CHUNKING" not in map(str.upper, keywords_of(answers)):
        questions.append(_Question("BDAT of nothing", "", "bdat_off"))
    if (text_of(answers, "MAIL before EHLO") or "")[:1] == "5":
        questions.append(_Question("MAIL before EHLO", "", "need_ehlo"))
    return [question for question in questions if question.name in answers]


def _is_expected(reply: str, text: str) -> bool:
    """Return whether the reply has the usual outcome. If not, the server follows other rules."""
    if reply in ("unknown_user", "relay", "rcpt", "vrfy", "syntax_vrfy", "etrn", "help", "need_ehlo"):
        return True
    return (text[0] in "45") == (catalogue.SMTP[reply][0] in "45") or reply == "not_mail"


SMTP = Speaking(_conversations_from_clear_to_tls, _learn, plain_facts, _way_to_tls)
SMTPS = Speaking(
    lambda circumstances: encrypted(_conversations(circumstances)), _learn, plain_facts, begins_with_tls=True
)
