"""Request bodies: JSON of a bounded size, and records of programs on hosts."""

from typing import Any, TypeVar

import falcon

from common.wire.codec import RecordError, Versioned, from_media

R = TypeVar("R", bound=Versioned)


SMALL_BYTES = 64 * 1024  # more than any request about one thing


def posted(request: falcon.Request, most_bytes: int = SMALL_BYTES, what: str = "a request") -> Any:
    """Return the JSON that was posted. Raise `falcon.HTTPError` if it is none, or too large.

    Nothing is read of a larger one: while the controller reads, it does nothing else.
    """
    if (request.content_length or 0) > most_bytes:
        raise falcon.HTTPContentTooLarge(description=f"{what} must not be larger than {most_bytes} bytes")
    try:
        return request.get_media()
    except RecursionError as error:
        raise falcon.HTTPBadRequest(description="nested too deeply") from error


def read_record(kind: type[R], media: object, example: str) -> R:
    """Return the record that was posted. Raise `falcon.HTTPBadRequest`. Keys from newer hosts are ignored."""
    try:
        return from_media(kind, media)
    except RecordError as error:
        raise falcon.HTTPBadRequest(description=f"{error}; remedy: {error.remedy or example}") from error
