"""HTTP: the requests to a web server. Only methods that change nothing: RFC 9110, 9.2.1."""

import random
import re
import string
from dataclasses import dataclass

from services.fingerprint.protocols.interface import Facts, Lesson, Speaking, encrypted, told
from services.fingerprint.script import Answers, Circumstances, Conversation, Ending, Heard, ScriptStep

MOST_BODY_BYTES = 200_000
_BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\n"
)
_ROOT, _NOT_FOUND, _BAD = "GET /", "GET of nothing", "nonsense"
_ROBOTS = "/robots.txt"
_METHODS = ("OPTIONS", "TRACE", "PROPFIND", "QXFOO")
_PLACES = {"date": "{date}", "content-length": "{length}", "connection": "{connection}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One parsed answer. `body` is without chunking, and complete unless it was too long."""

    version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def value(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


def parse_answer(data: bytes) -> Answer | None:
    """Parse an answer; return None if it is not HTTP."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    first = re.fullmatch(r"HTTP/(1\.[01]) ([1-5][0-9][0-9])(?: (.*))?", lines[0])
    if first is None:
        return None
    pairs = tuple(_pair(line) for line in lines[1:])
    answer = Answer(first[1], int(first[2]), first[3] or "", pairs, body)
    if "chunked" in answer.value("transfer-encoding").lower():
        return Answer(answer.version, answer.status, answer.reason, pairs, _without_chunks(body)[0])
    return answer


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _without_chunks(body: bytes) -> tuple[bytes, bool]:
    """Return the body, and whether it had its last chunk."""
    plain = bytearray()
    while found := re.match(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n", body):
        size, rest = int(found[1], 16), body[found.end() :]
        if not size:
            return bytes(plain), rest.endswith(b"\r\n")
        plain += rest[:size]
        body = rest[size + 2 :]
    return bytes(plain), False


def is_whole(data: bytes) -> bool:
    return _is_whole(data, has_body=True)


def is_whole_head(data: bytes) -> bool:
    return _is_whole(data, has_body=False)


def _is_whole(data: bytes, has_body: bool) -> bool:
    if b"\r\n\r\n" not in data:
        return False
    answer = parse_answer(data)
    if answer is None:
        return False
    if not has_body or answer.status in (204, 304):
        return True
    if "chunked" in answer.value("transfer-encoding").lower():
        return _without_chunks(data.partition(b"\r\n\r\n")[2])[1]
    length = answer.value("content-length")
    return length.isascii() and length.isdigit() and len(answer.body) >= int(length[:12])


def _conversations(circumstances: Circumstances) -> tuple[Conversation, ...]:
    host = f"Host: {circumstances.host}\r\n"
    kept = f"{host}{_BROWSER}Connection: keep-alive\r\n\r\n"
    closed = f"{host}{_BROWSER}Connection: close\r\n\r\n"

    def step(name: str, request: str) -> ScriptStep:
        is_head = request.startswith("HEAD")
        return ScriptStep(name, request.encode("ascii", "replace"), is_whole_head if is_head else is_whole)

    browser = (
        step(_ROOT, f"GET / HTTP/1.1\r\n{kept}"),
        step("HEAD /", f"HEAD / HTTP/1.1\r\n{kept}"),
        step(f"GET {_ROBOTS}", f"GET {_ROBOTS} HTTP/1.1\r\n{kept}"),
        step(_NOT_FOUND, f"GET /qx7/nothing-here HTTP/1.1\r\n{closed}"),
    )
    methods = tuple(step(f"{method} /", f"{method} / HTTP/1.1\r\n{closed}") for method in _METHODS)
    others = (
        step("GET / by HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"),
        step("GET / without Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
        step(_BAD, "help\r\n\r\n"),
    )
    return (Conversation(browser), *(Conversation((each,)) for each in (*methods, *others)))


def _learn(answers: Answers, circumstances: Circumstances) -> Lesson:
    lesson = Lesson()
    root = _answer(answers, _ROOT)
    if root is None:
        lesson.remarks.append("the server did not answer GET / with HTTP: the page is a default")
        return lesson
    lesson.fields.update(_page(lesson, root, _ROOT))
    if root.value("transfer-encoding"):
        lesson.remarks.append("the server sends its pages in chunks; the decoy sends a length")
    for key, name in (("not_found", _NOT_FOUND), ("bad_method", "QXFOO /"), ("bad_request", _BAD)):
        if (answer := _answer(answers, name)) is not None:
            lesson.fields[key] = _page(lesson, answer, name)
    lesson.fields["methods"] = ["GET", "HEAD", *_methods_like_get(answers, root)]
    robots = _answer(answers, f"GET {_ROBOTS}")
    not_found = _answer(answers, _NOT_FOUND)
    if robots is not None and (not_found is None or robots.status != not_found.status):
        lesson.fields["pages"] = {_ROBOTS: _page(lesson, robots, _ROBOTS)}
    return lesson


def _methods_like_get(answers: Answers, root: Answer) -> list[str]:
    found = []
    for method in _METHODS:
        answer = _answer(answers, f"{method} /")
        if answer is not None and (answer.status, answer.body) == (root.status, root.body):
            found.append(method)
    return found


def _answer(answers: Answers, name: str) -> Answer | None:
    heard = answers.get(name)
    return parse_answer(heard.data) if heard else None


def _page(lesson: Lesson, answer: Answer, name: str) -> dict[str, object]:
    length = answer.value("content-length")
    if length.isdigit() and int(length[:12]) > len(answer.body):
        lesson.remarks.append(f"{name}: the body is longer than {MOST_BODY_BYTES} bytes, and was truncated")
    body = lesson.clean(answer.body.decode("utf-8", "surrogateescape"), f"{name}: the body")
    headers = []
    for key, value in answer.headers[:100]:
        if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", key):
            headers.append([key, lesson.line(_value(key.lower(), value), f"{name}: {key}")])
    chunked = [pair for pair in headers if pair[0].lower() == "transfer-encoding"]
    for pair in chunked:
        pair[:] = ["Content-Length", "{length}"]
    if answer.value("set-cookie"):
        lesson.remarks.append(f"{name}: sets a cookie; the decoy's is invented, and always the same")
    reason = lesson.line(answer.reason, f"{name}: the reason")
    return {"status": answer.status, "reason": reason, "headers": headers, "body": body}


def _value(key: str, value: str) -> str:
    return _other_cookie(value) if key == "set-cookie" else _PLACES.get(key, value)


def _other_cookie(value: str) -> str:
    """Return an invented value of the same form: attackers must not get a session of the real server."""
    cookie, mark, rest = value.partition(";")
    name, equals, secret = cookie.partition("=")
    chance = random.Random(secret)
    letters = (
        chance.choice(string.digits if each.isdigit() else string.ascii_lowercase) if each.isalnum() else each
        for each in secret
    )
    return f"{name}{equals}{''.join(letters)}{mark}{rest}"


def _facts(answers: Answers) -> Facts:
    """Return heads and bodies separately, without values that change in every answer."""
    facts = {}
    for name, heard in answers.items():
        answer = parse_answer(heard.data)
        if answer is None:
            facts[name] = told(heard)
            continue
        facts[name] = "\n".join([_first_line(heard), *map(_shown, answer.headers), *_end(heard)])
        facts[f"{name}, body"] = answer.body.decode("utf-8", "surrogateescape")
    return facts


def _first_line(heard: Heard) -> str:
    return heard.lines[0]


def _shown(pair: tuple[str, str]) -> str:
    name, value = pair
    if name.lower() == "date":
        value = "(a date)"
    if name.lower() == "set-cookie":
        cookie, mark, rest = value.partition(";")
        value = f"{cookie.partition('=')[0]}=(a value){mark}{rest}"
    return f"{name}: {value}"


def _end(heard: Heard) -> list[str]:
    return [] if heard.ending is Ending.WHOLE else [f"[{heard.ending}]"]


HTTP = Speaking(_conversations, _learn, _facts)
HTTPS = Speaking(
    lambda circumstances: encrypted(_conversations(circumstances)), _learn, _facts, begins_with_tls=True
)
