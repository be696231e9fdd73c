"""The reason that a client of the API gives for a change, and its form in a header of HTTP.

A header holds ASCII only, so the text is percent-encoded UTF-8 (RFC 3986, 2.1).
"""

import re
from urllib.parse import quote, unquote_to_bytes

HEADER = "Postern-Reason"
_LONGEST = 200  # characters
_LONGEST_ENCODED = 3 * 4 * _LONGEST  # UTF-8 has up to four bytes per character, and "%C3" is one byte
_REMEDY = "remedy: encode the text as UTF-8, then percent-encode it"
_ENCODED = re.compile(r"(?:[ -$&-~]|%[0-9A-Fa-f]{2})*")


class ReasonError(ValueError):
    """This text cannot be the reason of a change; it says why, with a remedy, and never quotes the text."""


def check_reason(text: str) -> str:
    """Return a reason without blanks around it. Raise `ReasonError` if it is too long or not printable."""
    if len(text) > _LONGEST:
        raise ReasonError(f"{len(text)} characters; remedy: write {_LONGEST} at most")
    if not text.isprintable():
        raise ReasonError("contains characters that cannot be printed; remedy: write one line of plain text")
    return text.strip()


def encode_reason(reason: str) -> str:
    """Return the header's value for a reason that `check_reason` has accepted."""
    return quote(reason, safe="")


def decode_reason(value: str) -> str:
    """Return the reason in a header's value; it is empty if the value is. Raise `ReasonError`."""
    if len(value) > _LONGEST_ENCODED:
        raise ReasonError(f"is too long; remedy: write {_LONGEST} characters at most")
    if not _ENCODED.fullmatch(value):
        raise ReasonError(f"is not percent-encoded; {_REMEDY}")
    try:
        return check_reason(unquote_to_bytes(value).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ReasonError(f"is not UTF-8; {_REMEDY}") from error
