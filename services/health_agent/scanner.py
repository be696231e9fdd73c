"""Checks the age of a scanner's signatures, and that it detects the canary.

A scanner that answers PING may have lost its signatures, or report everything as clean.
So the scanner must detect a harmless sample, and must not report harmless text. The
bytes are sent in the request (clamd(8), INSTREAM).
"""

import re
from dataclasses import dataclass
from datetime import datetime

from common.wire.health import ScannerCheck
from services.base import clamd
from services.base.clamd import VerdictKind
from services.health_agent.checks import bounded, connected

# The sample of deploy/clamav/signatures: a text that does not occur by chance. It is split here, so that
# scanners do not detect this file.
SAMPLE = ("POSTERN-HARMLESS" + "-TEST-SAMPLE" + "-0d5f1b7a94e24c6c").encode()
CLEAN = b"A scanner that takes this for malware takes everything for malware.\r\n"
_TIMEOUT_S = 5.0  # a scan waits behind those of large messages
_REMEDY = "remedy: install deploy/clamav/signatures/postern-test.ndb there, or set canary_interval: 0s"
_VERSION = re.compile(r"ClamAV [^/]{1,100}/[0-9]{1,10}/(?P<built>[A-Za-z0-9: ]{1,40})")
_BUILT = "%a %b %d %H:%M:%S %Y"  # ctime(3), in the scanner's local time, which is ours
_HOUR_S, _DAY_S = 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with a scanner, and why it is stale. Each is empty if there is no problem."""

    problem: str = ""
    stale: str = ""


async def look(check: ScannerCheck, host: str, now_s: float) -> Found:
    """Check the age of the signatures and scan the samples. `now_s`: since 1970. Raise `HeldUp`."""
    version = ""

    async def ask() -> str:
        nonlocal version
        version = await _ask_version(check, host)
        return await _canary(check, host) if check.canary_interval_s else ""

    problem = await bounded(_TIMEOUT_S, ask)
    where = f"clamd:{host}:{check.port}"
    stale = too_old(version, check.signatures_max_age_s, now_s)
    return Found(f"{where}: {problem}" if problem else "", f"{where}: {stale}" if stale else "")


def too_old(version: str, most_s: float, now_s: float) -> str:
    """Return a problem if signatures are too old. It is empty if clamd does not report their age."""
    found = _VERSION.fullmatch(version)
    if not found:
        return ""
    try:
        built_s = datetime.strptime(found["built"], _BUILT).timestamp()
    except (ValueError, OverflowError):
        return ""
    age_s = now_s - built_s
    return f"signatures are {_in_words(age_s)} old, more than {_in_words(most_s)}" if age_s > most_s else ""


def _in_words(seconds: float) -> str:
    if seconds >= 2 * _DAY_S:
        return f"{seconds / _DAY_S:.0f} days"
    return f"{seconds / _HOUR_S:.1f} hours"


async def _ask_version(check: ScannerCheck, host: str) -> str:
    async with connected(host, check.port) as (reader, writer):
        writer.write(clamd.VERSION_REQUEST)
        answer = await reader.readuntil(b"\0")
        return answer[:-1].decode("utf-8", "replace").strip()


async def _canary(check: ScannerCheck, host: str) -> str:
    for sample, wanted, otherwise in (
        (SAMPLE, VerdictKind.INFECTED, f"does not find the canary; {_REMEDY}"),
        (CLEAN, VerdictKind.CLEAN, "reports harmless text as malware"),
    ):
        async with connected(host, check.port) as (reader, writer):
            writer.write(clamd.STREAM_REQUEST + clamd.encode_chunk(sample) + clamd.STREAM_END)
            answer = await reader.readuntil(b"\0")
        verdict = clamd.parse_answer(answer[:-1], host)
        if verdict.kind is VerdictKind.UNAVAILABLE:
            return f"does not scan: {verdict.detail}"
        if verdict.kind is not wanted:
            return f"{otherwise} ({verdict.kind.value} {verdict.detail})".replace(" )", ")")
    return ""
