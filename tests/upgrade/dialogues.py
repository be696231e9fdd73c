"""What programs of a release and the controller of that release said to each other, as files.

Each release has a directory, and each story (`tests.upgrade.stories`) a file in it. The files of a release
are never written again after it: they are what programs of that release still say.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_DIRECTORY = Path(__file__).parent
RELEASES = tuple(sorted(path.name for path in _DIRECTORY.glob("release_*")))
TOKEN, TAG = "TOKEN", "ETAG"
_MOST_EXCHANGES = 20
_LARGEST_FILE_BYTES = 64 * 1024
# Values that are others in each run, and what stands for them in a file.
_STEADY: dict[str, object] = {
    "secret": "07" * 32,
    "since": 1_700_000_000,
    "until": 1_700_014_400,
    "id": 4,
    "cookie": "0x9058000000000004",
    "trace": "00005f000000000a",
    "client": "0123456789abcdef",
    "changed": "2026-01-01T00:00:00Z",
    "installed_at": "2026-01-01T00:00:00Z",
    "engine": "ClamAV 1.4.3",
    "bytes": 7_000,
}
_FIRST_FREE_PORT = 20_000  # `tests.mail.conftest.free_port`
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a program, and the answer. Bodies are JSON values; a text is a body that is signed."""

    method: str
    path: str
    headers: Headers
    body: Any
    status: int
    answer_headers: Headers
    answer: Any

    @property
    def question(self) -> tuple[str, str, bool]:
        """Return what decides which answer fits: the same path is asked with and without a tag."""
        return self.method, self.path, "If-None-Match" in self.headers


@dataclass(frozen=True, slots=True)
class Dialogue:
    """All exchanges of one story. `files`: what a program needs beside them, such as a public key."""

    exchanges: tuple[Exchange, ...]
    files: Mapping[str, str] = field(default_factory=dict)

    def answer_to(self, method: str, path: str) -> Any:
        return next(each.answer for each in self.exchanges if (each.method, each.path) == (method, path))


def load(release: str, story: str, directory: Path = _DIRECTORY) -> Dialogue:
    found = json.loads((directory / release / f"{story}.json").read_text(encoding="utf-8"))
    return Dialogue(tuple(Exchange(**each) for each in found["exchanges"]), found["files"])


def stories_of(release: str) -> list[str]:
    return sorted(path.stem for path in (_DIRECTORY / release).glob("*.json"))


def save(directory: Path, story: str, dialogue: Dialogue) -> Path:
    """Write a dialogue. Raise `ValueError` if it is larger than anyone would review."""
    if len(dialogue.exchanges) > _MOST_EXCHANGES:
        raise ValueError(f"{story}: {len(dialogue.exchanges)} exchanges, more than {_MOST_EXCHANGES}")
    media = {"exchanges": [asdict(each) for each in dialogue.exchanges], "files": dict(dialogue.files)}
    text = json.dumps(media, indent=1, ensure_ascii=False) + "\n"
    if len(text.encode()) > _LARGEST_FILE_BYTES:
        raise ValueError(f"{story}: {len(text.encode())} bytes, more than {_LARGEST_FILE_BYTES}")
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{story}.json"
    file.write_text(text, encoding="utf-8")
    return file


def steady(media: Any, key: str = "") -> Any:
    """Return JSON with a fixed value where each run, and each machine, has another one."""
    if isinstance(media, dict):
        return {name: steady(value, name) for name, value in media.items()}
    if isinstance(media, list):
        return [steady(each) for each in media]
    if media and key in _STEADY:
        return _STEADY[key]
    if key == "port" and media >= _FIRST_FREE_PORT:
        return _FIRST_FREE_PORT
    return _TIME.sub("2026-01-01T00:00:00Z", media) if isinstance(media, str) else media


def lost(recorded: Any, now: Any, place: str = "answer") -> Iterator[str]:
    """Yield the places of values that an old program read and that an answer of today does not have.

    Values may differ, and a value that was null may be any.
    """
    if recorded is None:
        return
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name, value in recorded.items():
            if name in now:
                yield from lost(value, now[name], f"{place}.{name}")
            else:
                yield f"{place}.{name} is missing"
    elif isinstance(recorded, list) and isinstance(now, list):
        if recorded and not now:
            yield f"{place} is empty"
        for number, value in enumerate(recorded if now else ()):
            yield from lost(value, now[min(number, len(now) - 1)], f"{place}[{number}]")
    elif _type_of(recorded) is not _type_of(now):
        yield f"{place} was {recorded!r:.40}, is {now!r:.40}"


def _type_of(value: Any) -> type:
    """Return the JSON type; JSON has one for all numbers."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float if is_number else type(value)
