"""The files that a canary scans: clean files, which must not be detected, and samples, which must."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.base.files import sha256_of

DEPLOYED = Path(__file__).resolve().parents[3] / "deploy"
BASE = DEPLOYED / "clamav" / "signatures" / "postern-test.ndb"
CLEAN = DEPLOYED / "antivirus" / "clean"
_MOST_FILES = 20_000
_LARGEST_FILE_BYTES = 64 * 1024**2


class CorpusError(Exception):
    """The corpus cannot be read; the text names the file and a remedy."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """`clean`: directories, searched recursively."""

    clean: tuple[Path, ...] = (CLEAN,)
    base: Path = BASE

    def files(self) -> Iterator[Path]:
        """Yield the clean files, except those that are too large or not regular. Raise `CorpusError`."""
        count = 0
        for directory in self.clean:
            if not directory.is_dir():
                raise CorpusError(f"{directory}: no such directory; remedy: give a directory of clean files")
            for path in sorted(directory.rglob("*")):
                if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST_FILE_BYTES:
                    count += 1
                    if count > _MOST_FILES:
                        raise CorpusError(
                            f"more than {_MOST_FILES} clean files; remedy: give fewer directories"
                        )
                    yield path

    def hashes(self) -> dict[str, Path]:
        """Return the clean files by SHA-256."""
        return {sha256_of(path): path for path in self.files()}

    def base_lines(self) -> tuple[str, ...]:
        """Return the lines that are in every generation."""
        try:
            return tuple(self.base.read_text(encoding="ascii").split())
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(
                f"{self.base}: {error}; remedy: give the file with the samples' signatures"
            ) from error

    def samples(self) -> dict[str, bytes]:
        """Return the harmless samples by the name of their signature: the base's own patterns."""
        fields = [line.split(":") for line in self.base_lines()]
        return {name: bytes.fromhex(pattern) for name, _, _, pattern in fields}
