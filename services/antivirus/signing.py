"""Signs what ClamAV does not sign, with Debian's `minisign` (Ed25519, like OpenBSD's signify).

The trusted comment says what is signed. So a valid signature of another document, or
of an older one of the same kind, is not accepted.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from services.antivirus.formats import SIGNATURE_SUFFIX

_PROGRAM = "minisign"
_TAKES_AT_MOST_S = 10.0
_INSTALL = "remedy: apt-get install minisign"


class BadSignature(Exception):
    """A document has no valid signature by the expected key; the text names it."""


class SigningFailed(Exception):
    """A key cannot be created or used; the text says why, and gives a remedy."""


def make_key(secret: Path, public: Path) -> None:
    """Create a key pair. The secret key has no password and is readable only by its owner."""
    old = os.umask(0o077)
    try:
        _run("-G", "-W", "-f", "-s", str(secret), "-p", str(public))
    finally:
        os.umask(old)
    public.chmod(0o644)


def sign(secret: Path, file: Path, comment: str) -> Path:
    """Write FILE.minisig. Raise `SigningFailed`."""
    signature = file.with_name(file.name + SIGNATURE_SUFFIX)
    _run("-S", "-s", str(secret), "-m", str(file), "-x", str(signature), "-t", comment)
    return signature


def verify(public: Path, data: bytes, signature: bytes, comment: str) -> None:
    """Raise `BadSignature` unless the key signed exactly this; `SigningFailed` if that cannot be checked."""
    with tempfile.TemporaryDirectory(prefix="postern-av-") as directory:
        file, beside = Path(directory) / "signed", Path(directory) / "signature"
        file.write_bytes(data)
        beside.write_bytes(signature)
        if not public.is_file():
            raise SigningFailed(f"{public}: no such key; remedy: copy postern-av.pub of the builder there")
        done = _execute("-V", "-Q", "-p", str(public), "-m", str(file), "-x", str(beside))
    if done.returncode:
        raise BadSignature(f"{comment}: {_last_line(done.stderr) or 'the signature is not valid'}")
    if done.stdout.strip() != comment:
        raise BadSignature(
            f"the signature is valid, but is for {done.stdout.strip()[:100]!r} instead of {comment!r}"
        )


def _run(*arguments: str) -> None:
    done = _execute(*arguments)
    if done.returncode:
        raise SigningFailed(f"{_PROGRAM}: {_last_line(done.stderr) or f'exit code {done.returncode}'}")


def _execute(*arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            [_PROGRAM, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TAKES_AT_MOST_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise SigningFailed(f"{_PROGRAM} is not installed; {_INSTALL}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SigningFailed(f"{_PROGRAM} cannot be run: {error}") from error


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""
