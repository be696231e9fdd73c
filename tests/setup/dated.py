"""A database of signatures that bears a date, as ClamAV's own do: enough for clamd to tell how old it is.

Unsigned (`.cud`), so that nobody takes it for ClamAV's own: a head of 512 bytes with the date, then a
tar of the signatures and a list of them that repeats the head (ClamAV manual, "CVD format").
"""

import hashlib
import io
import tarfile
import time

_HEAD_BYTES = 512
_SIGNATURES = b"Postern.Test.Dated:0:*:" + b"POSTERN-DATED-SIGNATURE".hex().encode() + b"\n"


def daily_cud(built_s: float) -> bytes:
    """Return the content of a `daily.cud` that was built at a time (seconds since 1970)."""
    digest = hashlib.sha256(_SIGNATURES).hexdigest()
    listed = f"{_head(built_s, 'X')}\ndaily.ndb:{len(_SIGNATURES)}:{digest}\n".encode()
    packed = _tar({"COPYING": b"none\n", "daily.info": listed, "daily.ndb": _SIGNATURES})
    return _head(built_s, hashlib.md5(packed).hexdigest()).ljust(_HEAD_BYTES).encode() + packed


def _head(built_s: float, md5: str) -> str:
    when = time.strftime("%d %b %Y %H-%M +0000", time.gmtime(built_s))
    return f"ClamAV-VDB:{when}:27000:1:90:{md5}:X:postern:{int(built_s)}"


def _tar(content_by_name: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in content_by_name.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
