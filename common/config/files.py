"""Operators' files from disk: bounded, and UTF-8. The only module of this package that reads files."""

from pathlib import Path

from common.config.errors import place_after
from common.config.grammar import Document
from common.config.nodes import fail_too_large
from common.config.report import ErrorReport


def read_text(path: Path, document: Document) -> str:
    """Return a file's text. Raise `ConfigErrors` if it is too large or not UTF-8, `OSError` if unreadable."""
    report = ErrorReport(str(path), document.noun)
    with path.open("rb") as file:
        raw = file.read(document.limits.size_bytes + 1)
    if len(raw) > document.limits.size_bytes:  # before decoding: `raw` may end within a character
        fail_too_large(report, document.limits)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = place_after(str(path), raw[: error.start].decode("utf-8"))
        message = f"byte {raw[error.start]:#04x} is not UTF-8 text"
        report.fail(place, "", message, "save the file as UTF-8")
