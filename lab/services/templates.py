"""Sample configurations from `deploy/`, with the words between @ filled in."""

from collections.abc import Mapping
from pathlib import Path

from lab.paths import REPOSITORY


def fill(template: str, words: Mapping[str, str]) -> str:
    """Return the text of `deploy/TEMPLATE` with each @WORD@ replaced."""
    text = (REPOSITORY / "deploy" / template).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def write(file: Path, text: str, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
