"""The lab's clamd: what it finds, what it calls unscanned, what it does not do."""

import io
import runpy
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.setup.clamd import REPOSITORY, SIGNATURES, Clamd

pytestmark = pytest.mark.programs

MAKER = runpy.run_path(str(REPOSITORY / "deploy" / "clamav" / "make_signatures.py"))
EICAR: bytes = MAKER["EICAR"]
OWN_SAMPLE: bytes = MAKER["OWN_SAMPLE"]


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    home = Path(tempfile.mkdtemp(prefix="postern-clamd-"))
    scanner = Clamd(home)
    try:
        scanner.start()
        yield scanner
    finally:
        scanner.stop()
        shutil.rmtree(home)


def bare(data: bytes) -> bytes:
    return data


def mailed(attachment: bytes) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@sender.example", "b@acme.example", "figures"
    message.set_content("See the attachment.\n")
    message.add_attachment(attachment, "application", "octet-stream", filename="figures.bin")
    return message.as_bytes().replace(b"\n", b"\r\n")


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.bin", data)
    return buffer.getvalue()


WRAPS = [bare, mailed, zipped]


def encrypted_zip() -> bytes:
    """Return a stored zip whose one member claims to be encrypted (APPNOTE 4.4.4, bit 0 of the flags)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("secret.bin", bytes(range(64)))
    data = bytearray(buffer.getvalue())
    data[6] |= 1  # local file header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # central directory
    return bytes(data)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A small archive of more data than the scanner will look at: 450 MB of zeros, within 128 MB each."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(5):
            with archive.open(f"{number}.bin", "w") as member:
                for _ in range(90):
                    member.write(bytes([number]) * 1_000_000)
    return buffer.getvalue()


def test_clean_mail_is_clean(clamd: Clamd) -> None:
    assert clamd.scan(mailed(bytes(range(256)) * 40)) == "stream: OK"


@pytest.mark.parametrize("wrap", WRAPS)
def test_eicar_is_found(clamd: Clamd, wrap: Callable[[bytes], bytes]) -> None:
    assert clamd.scan(wrap(EICAR)).startswith("stream: Postern.Test.EICAR")


@pytest.mark.parametrize("wrap", WRAPS)
def test_own_sample_is_found_anywhere_in_a_file(clamd: Clamd, wrap: Callable[[bytes], bytes]) -> None:
    # ClamAV marks every name that is not from its own database.
    verdict = clamd.scan(wrap(b"before " + OWN_SAMPLE + b" after"))
    assert verdict == "stream: Postern.Test.Sample.UNOFFICIAL FOUND"


def test_half_of_a_sample_is_clean(clamd: Clamd) -> None:
    assert clamd.scan(OWN_SAMPLE[:20] + EICAR[:30]) == "stream: OK"


def test_encrypted_archive_is_a_finding_of_its_own(clamd: Clamd) -> None:
    assert clamd.scan(mailed(encrypted_zip())) == "stream: Heuristics.Encrypted.Zip FOUND"


def test_hitting_a_limit_is_a_finding_and_not_ok(clamd: Clamd, bomb: bytes) -> None:
    assert len(bomb) < 4_000_000
    assert clamd.scan(bomb).startswith("stream: Heuristics.Limits.Exceeded")


def test_signatures_in_the_tree_are_what_their_maker_makes(tmp_path: Path) -> None:
    MAKER["write"](tmp_path)
    made = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    assert made == {file.name: file.read_text(encoding="utf-8") for file in SIGNATURES.iterdir()}


def test_no_file_of_the_tree_looks_like_malware_to_others() -> None:
    """Only the pieces are there: a scanner that meets a clone of this repository finds nothing."""
    folders = ("deploy", "tests", "lab", "docs")
    files = [file for folder in folders for file in (REPOSITORY / folder).rglob("*") if file.is_file()]
    assert len(files) > 20
    assert not [file for file in files if EICAR in file.read_bytes()]
