"""A decoy's HTTP/1: it captures every request, serves the persona's pages, and behaves like nginx.

`{date}`, `{length}` and `{connection}` in a page's headers are filled in here. The caller supplies the
date, since a dialogue has no clock.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from services.decoy.dialogues.base import Dialogue, Login, Request, text_of
from services.decoy.dialogues.capture import Budget, Capture
from services.personas.model import Http, Page

_MOST_HEAD_BYTES = 16_384
_MOST_REQUESTS = 100
_MOST_FIELDS = 50
_LINE = re.compile(rb"([A-Z_-]{1,32}) (\S+)(?: HTTP/(1\.[01]|0\.9))?")
_NO_METHOD = re.compile(rb"[^A-Z_-]")
_USERS, _PASSWORDS = ("user", "login", "email", "name", "log"), ("pass", "pwd", "secret")
_LONGEST_CHUNK_LINE = 1_024
_TOO_LONG_FOR_A_FORM = 16_384


class HttpDialogue(Dialogue):
    def __init__(self, speech: Http, budget: Budget, date: Callable[[], str]) -> None:
        super().__init__()
        self._speech, self._budget, self._date = speech, budget, date
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._body: Capture | None = None
        self._length = _Plain(0)
        self._requests = 0

    def _feed(self, data: bytes) -> None:
        self._buffer += data
        while not self._is_over and self._go_on():
            pass

    def _go_on(self) -> bool:
        """Take a complete head, or a piece or the end of a body. Return whether there was one."""
        if self._head is None:
            return self._take_head()
        assert self._body is not None
        taken = self._length.take(self._buffer, self._body)
        if self._length.is_broken:
            self._refuse(self._head)
        elif self._length.is_done:
            self._answer(self._head, self._body)
        return taken or self._head is None

    def _take_head(self) -> bool:
        while self._buffer.startswith((b"\r\n", b"\n")):  # RFC 9112, 2.2
            del self._buffer[: self._buffer.index(b"\n") + 1]
        if self._buffer == b"\r":
            return False
        first, newline, _ = bytes(self._buffer[:_MOST_HEAD_BYTES]).partition(b"\n")
        is_ancient = bool(newline) and b" HTTP/" not in first
        end = len(first) + 1 if is_ancient else _end_of_head(self._buffer)
        is_bad = not _LINE.fullmatch(first.rstrip(b"\r")) if newline else bool(_NO_METHOD.match(first))
        if is_bad or (end or len(self._buffer)) > _MOST_HEAD_BYTES:
            self._refuse(_Head("", text_of(first[:500])))
            return False
        if end is None:
            return False
        head = _read_head(bytes(self._buffer[:end]))
        del self._buffer[:end]
        self._begin(head)
        return True

    def _begin(self, head: "_Head") -> None:
        self._head, self._body = head, Capture(self._budget)
        length = head.value("content-length")
        if "chunked" in head.value("transfer-encoding").lower():
            self._length = _Chunks()
        elif length and not re.fullmatch("[0-9]{1,15}", length):
            self._refuse(head)
        else:
            self._length = _Plain(int(length or 0))
        if not self._is_over and head.value("expect").lower() == "100-continue":
            self._out += b"HTTP/1.1 100 Continue\r\n\r\n"

    def _refuse(self, head: "_Head") -> None:
        """Answer an invalid request with the persona's 400, and close the connection."""
        body = self._body or Capture(self._budget)
        page = self._speech.bad_request
        self._note(Request(head.method, head.target, head.fields, body.finish(), page.status))
        self._say(page, head, is_kept=False)
        self._finish(is_kept=False)

    def _answer(self, head: "_Head", body: Capture) -> None:
        content = body.finish()
        page = self._page_for(head)
        self._note(Request(head.method, head.target, head.fields, content, page.status))
        for login in _logins(head, content.data):
            self._note(login)
        self._requests += 1
        is_kept = head.is_kept and self._requests < _MOST_REQUESTS
        self._say(page, head, is_kept)
        self._finish(is_kept)

    def _page_for(self, head: "_Head") -> Page:
        if head.is_modern and not head.value("host"):
            return self._speech.bad_request
        if head.method not in self._speech.methods:
            return self._speech.bad_method
        return self._speech.pages.get(head.target.partition("?")[0], self._speech.not_found)

    def _say(self, page: Page, head: "_Head", is_kept: bool) -> None:
        body = page.body.encode("utf-8", "replace")
        if head.is_ancient:
            self._out += body
            return
        values = {"{date}": self._date(), "{length}": str(len(body))}
        values["{connection}"] = "keep-alive" if is_kept else "close"
        lines = [f"HTTP/1.1 {page.status} {page.reason}"]
        lines += [f"{name}: {values.get(value, value)}" for name, value in page.headers]
        self._out += "\r\n".join([*lines, "", ""]).encode("utf-8", "replace")
        if head.method != "HEAD":
            self._out += body

    def _finish(self, is_kept: bool) -> None:
        self._head = self._body = None
        self._length = _Plain(0)
        if not is_kept:
            self._is_over = True
            self._buffer.clear()

    def close(self) -> None:
        if self._body is not None:
            self._body.release()


@dataclass(slots=True)
class _Head:
    method: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    version: str = "1.0"

    @property
    def is_ancient(self) -> bool:
        """Whether the request is HTTP/0.9: a single line, answered by the body alone."""
        return not self.version

    @property
    def is_modern(self) -> bool:
        return self.version == "1.1"

    def value(self, name: str) -> str:
        return next((value for key, value in self.fields if key.lower() == name), "")

    @property
    def is_kept(self) -> bool:
        wish = self.value("connection").lower()
        return not self.is_ancient and ("close" not in wish if self.is_modern else "keep-alive" in wish)


def _read_head(data: bytes) -> _Head:
    lines = data.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    found = _LINE.fullmatch(lines[0])
    assert found is not None  # checked before
    fields = []
    for line in lines[1 : _MOST_FIELDS + 1]:
        name, _, value = line.partition(b":")
        fields.append((text_of(name.strip()), text_of(value.strip())))
    version = text_of(found[3] or b"").replace("0.9", "")
    return _Head(text_of(found[1]), text_of(found[2]), tuple(fields), version)


def _end_of_head(buffer: bytearray) -> int | None:
    ends = [found + len(mark) for mark in (b"\n\r\n", b"\n\n") if (found := buffer.find(mark)) >= 0]
    return min(ends, default=None)


def _logins(head: _Head, body: bytes) -> list[Login]:
    """Return attempted logins: HTTP Basic, or a form."""
    found = []
    scheme, _, secret = head.value("authorization").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = text_of(base64.b64decode(secret.strip(), validate=True)).partition(":")
            found.append(Login("Basic", user, password))
        except (binascii.Error, ValueError):
            pass
    if "form-urlencoded" in head.value("content-type").lower() and len(body) <= _TOO_LONG_FOR_A_FORM:
        try:
            pairs = parse_qsl(text_of(body), max_num_fields=_MOST_FIELDS)
        except ValueError:
            return found
        user = next((value for name, value in pairs if any(word in name.lower() for word in _USERS)), "")
        for name, value in pairs:
            if any(word in name.lower() for word in _PASSWORDS):
                found.append(Login("form", user, value))
                break
    return found


class _Plain:
    """A body with a Content-Length."""

    is_broken = False

    def __init__(self, size: int) -> None:
        self._left = size

    @property
    def is_done(self) -> bool:
        return self._left == 0

    def take(self, buffer: bytearray, body: Capture) -> bool:
        piece = bytes(buffer[: self._left])
        del buffer[: len(piece)]
        body.add(piece)
        self._left -= len(piece)
        return bool(piece)


class _Chunks(_Plain):
    """A body in chunks (RFC 9112, 7.1)."""

    def __init__(self) -> None:
        super().__init__(0)
        self._state = "size"

    @property
    def is_done(self) -> bool:
        return self._state == "done"

    def take(self, buffer: bytearray, body: Capture) -> bool:
        if self._state == "data" and self._left:
            return super().take(buffer, body)
        end = buffer.find(b"\n")
        self.is_broken = (len(buffer) if end < 0 else end) > _LONGEST_CHUNK_LINE
        if self.is_broken or end < 0:
            return False
        line = bytes(buffer[:end]).strip()
        del buffer[: end + 1]
        if self._state == "data":  # the line end after a chunk
            self._state = "size"
            self.is_broken = bool(line)
        elif self._state == "trailer":
            self._state = "trailer" if line else "done"
        else:
            self._begin_chunk(line.partition(b";")[0].strip())
        return True

    def _begin_chunk(self, size: bytes) -> None:
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", size):
            self.is_broken = True
            return
        self._left = int(size, 16)
        self._state = "data" if self._left else "trailer"
