"""The kinds of files that an operator writes: grammar, parser, and what their reference pages begin with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.config.grammar import Document
from controller.policy import reference
from controller.policy.grammar import POLICY_FILE
from controller.policy.parse import parse_policy

KINDS = ("policy",)


@dataclass(frozen=True)
class FileKind:
    """`example` is a good file, relative to the checkout; `parse` takes a text and its file's name."""

    document: Document
    parse: Callable[[str, str], object]
    head: str
    example: Path


def load_kind(kind: str) -> FileKind:
    """Return what belongs to one of `KINDS`. Programs on hosts are imported only for their own files."""
    assert kind == "policy"
    return FileKind(POLICY_FILE, parse_policy, reference.HEAD, Path("policies/demo.yaml"))
