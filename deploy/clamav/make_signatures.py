"""Makes the signatures of the lab's scanners: enough to try an edge with, and no protection at all.

Owns the two harmless samples, as patterns, and ClamAV's formats for them
(ClamAV manual, "Body-based Signature Content Format" and "Hash-based Signatures").
Downloads nothing. Standard library only.

    python3 deploy/clamav/make_signatures.py DIRECTORY    writes postern-test.ndb and postern-test.hsb

The samples are kept in pieces, so that no scanner takes this file for what it describes.
"""

import hashlib
import sys
from pathlib import Path

# The industry's test file: harmless, and detected by every scanner (eicar.org).
EICAR = "".join(("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTI", "VIRUS-TEST-FILE!$H+H*")).encode()
# Our own: a text that does not occur by chance, and that no other scanner detects.
OWN_SAMPLE = ("POSTERN-HARMLESS" + "-TEST-SAMPLE" + "-0d5f1b7a94e24c6c").encode()

_ANY_FILE = 0  # target type: any
_ANYWHERE = "*"
_AT_START = "0"  # EICAR's own rule: it counts only as the beginning of a file


def body_signatures() -> str:
    """Return the lines of an .ndb file: Name:TargetType:Offset:HexPattern."""
    return (
        f"Postern.Test.EICAR:{_ANY_FILE}:{_AT_START}:{EICAR.hex()}\n"
        f"Postern.Test.Sample:{_ANY_FILE}:{_ANYWHERE}:{OWN_SAMPLE.hex()}\n"
    )


def hash_signatures() -> str:
    """Return the lines of an .hsb file: SHA-256:size:Name."""
    digest = hashlib.sha256(EICAR).hexdigest()
    return f"{digest}:{len(EICAR)}:Postern.Test.EICAR-file\n"


def write(directory: Path) -> None:
    """Write both files. Raise `OSError`."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "postern-test.ndb").write_text(body_signatures(), encoding="ascii")
    (directory / "postern-test.hsb").write_text(hash_signatures(), encoding="ascii")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_signatures.py DIRECTORY")
    try:
        write(Path(sys.argv[1]))
    except OSError as error:
        sys.exit(f"make_signatures.py: {error}; remedy: name a directory that can be written")
