"""FTP: the requests on the control channel before login. It sends no user and requests no data."""

from services.fingerprint.protocols.interface import Lesson, Speaking, plain_facts, text_of
from services.fingerprint.script import Answers, Circumstances, Conversation, ScriptStep, is_numbered_reply
from services.personas import catalogue

_GREETING, _FEATURES = "greeting", "FEAT"
_REPLIES = {
    "SYST": "system",
    "HELP": "help",
    "NOOP": "noop",
    "PASV": "pasv",
    "OPTS": "opts",
    "OPTS UTF8": "opts_utf8",
    "unknown command": "unknown",
    "QUIT": "quit",
}
_WAY = (
    ScriptStep("", b"", is_numbered_reply),
    ScriptStep("AUTH TLS", b"AUTH TLS\r\n", is_numbered_reply, tls_after=b"234"),
)


def _conversations(_: Circumstances) -> tuple[Conversation, ...]:
    lines = {name: name for name in ("SYST", "HELP", "NOOP", "PASV")}
    lines |= {"OPTS": "OPTS QX", "OPTS UTF8": "OPTS UTF8 ON", "unknown command": "QXFOO", "QUIT": "QUIT"}
    steps = [ScriptStep(name, f"{line}\r\n".encode(), is_numbered_reply) for name, line in lines.items()]
    begin = (
        ScriptStep(_GREETING, b"", is_numbered_reply),
        ScriptStep(_FEATURES, b"FEAT\r\n", is_numbered_reply),
    )
    within = ScriptStep("AUTH TLS within TLS", b"AUTH TLS\r\n", is_numbered_reply)
    return Conversation((*begin, *steps)), Conversation((*_WAY, within))


def _way_to_tls(answers: Answers) -> tuple[ScriptStep, ...] | None:
    return _WAY if (text_of(answers, "AUTH TLS") or "").startswith("234") else None


def _learn(answers: Answers, _: Circumstances) -> Lesson:
    lesson = Lesson()
    if banner := text_of(answers, _GREETING):
        lesson.fields["banner"] = lesson.clean(banner, "banner")
    replies = _learn_features(lesson, answers)
    names = {**_REPLIES, "AUTH TLS": "auth_tls" if _way_to_tls(answers) else "no_auth"}
    for name, reply in names.items():
        text = text_of(answers, name)
        if text and text != catalogue.FTP[reply]:
            replies[reply] = lesson.clean(text, name)
    if replies:
        lesson.fields["replies"] = replies
    return lesson


def _learn_features(lesson: Lesson, answers: Answers) -> dict[str, str]:
    """Return the replies for FEAT; RFC 2389, 3.2: each feature has a line that begins with a space."""
    text = text_of(answers, _FEATURES)
    if text is None:
        return {}
    lines = text.split("\n")
    features = [line[1:] for line in lines[1:-1] if line.startswith(" ")]
    lesson.fields["features"] = [lesson.line(feature, _FEATURES) for feature in features]
    if not features:
        return {} if text == catalogue.FTP["no_features"] else {"no_features": lesson.clean(text, _FEATURES)}
    frame = f"{lines[0]}\n{{features}}\n{lines[-1]}"
    return {} if frame == catalogue.FTP["features"] else {"features": lesson.clean(frame, _FEATURES)}


FTP = Speaking(_conversations, _learn, plain_facts, _way_to_tls)
