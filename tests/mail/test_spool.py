"""A full disk is noticed while a message is written, at any byte, and never later."""

import errno
import os
import tempfile
from io import BufferedRandom, RawIOBase
from pathlib import Path
from typing import Any

import pytest

from services.mail.io.spool import FileSpool
from services.mail.relay.ports import SpoolFull

ROOM_BYTES = 400_000


class SmallDisk(RawIOBase):
    """A file on a disk that has room for so many bytes; as such a disk it takes what fits, then nothing."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        assert (offset, whence) == (0, os.SEEK_SET) or whence == os.SEEK_CUR
        return 0

    def write(self, data: Any) -> int:
        fitting = bytes(data)[: ROOM_BYTES - len(self.taken)]
        if not fitting:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.taken += fitting
        return len(fitting)


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileSpool:
    def on_small_disk(dir: Path, buffering: int = -1) -> Any:
        return SmallDisk() if buffering == 0 else BufferedRandom(SmallDisk())

    monkeypatch.setattr(tempfile, "TemporaryFile", on_small_disk)
    return FileSpool(tmp_path)


@pytest.mark.parametrize("past", [1, 100, 8_000, 9_000, 100_000])
def test_a_message_that_does_not_fit_is_refused_when_it_is_written(spool: FileSpool, past: int) -> None:
    spool.write(b"x" * 300_000)
    with pytest.raises(SpoolFull):
        spool.write(b"x" * (ROOM_BYTES - 300_000 + past))
    spool.close()


def test_a_message_that_just_fits_is_kept_whole(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path)
    pieces = [b"a" * 300_000, b"b" * 7, b"c" * 99_993]
    for piece in pieces:
        spool.write(piece)
    assert b"".join(spool.read()) == b"".join(pieces) == b"".join(spool.read())
    spool.close()
