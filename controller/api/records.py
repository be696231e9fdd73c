"""Request bodies that are records of programs on hosts."""

from typing import TypeVar

import falcon

from common.wire.codec import RecordError, Versioned, from_media

R = TypeVar("R", bound=Versioned)


def read_record(kind: type[R], media: object, example: str) -> R:
    """Return the record that was posted. Raise `falcon.HTTPBadRequest`. Keys from newer hosts are ignored."""
    try:
        return from_media(kind, media)
    except RecordError as error:
        raise falcon.HTTPBadRequest(description=f"{error}; remedy: {error.remedy or example}") from error
