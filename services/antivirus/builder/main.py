"""`postern-av`: builds, tests and publishes anti-virus signatures. `postern av` has the same commands."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from common import entry
from common.commands import (
    CommandError,
    Result,
    Subparsers,
    add_command,
    be_command,
    build_command_parser,
    execute,
)
from common.commands import Run as BoundRun
from common.options import number_option
from common.terminal import Progress
from common.wire.antivirus import Immunity
from services.antivirus.builder import commands
from services.antivirus.builder.corpus import CLEAN, Corpus
from services.antivirus.builder.publisher import Publisher
from services.antivirus.builder.store import Store
from services.antivirus.formats import RINGS
from services.base import program

_PROGRAM = "postern-av"
_DEFAULT_STORE = "/var/lib/postern/antivirus"
_EPILOG = """\
examples, a new signature:
  postern-av add-signature --hash 275a...fd0f:68 --name Invoice.Trojan --reason "seen at acme"
  postern-av status                  generation 13 is on ring canary only
  postern-av promote                 all rings get it

an urgent signature, and how to undo it:
  postern-av immunize invoice.exe    by its hash, on all rings, if the canary accepts it
  postern-av rollback                every client returns to the previous generation

A canary loads every generation first: a separate clamd that must detect all samples, and nothing in clean
files. If it rejects the generation, no client gets it.
"""
Run = Callable[[Publisher, argparse.Namespace], Result]


def main(arguments: Sequence[str] | None = None) -> int:
    return execute(build_parser(), arguments)


def build_parser() -> argparse.ArgumentParser:
    description = "Build, test and publish anti-virus signatures for a whole fleet."
    parser = build_command_parser(_PROGRAM, description, _EPILOG)
    add_store_options(parser)
    add_commands(parser.add_subparsers(metavar="COMMAND", required=True))
    return parser


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all commands share; they come before the command."""
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("POSTERN_AV_STORE") or _DEFAULT_STORE),
        help=f"the builder's store (default: $POSTERN_AV_STORE, otherwise {_DEFAULT_STORE})",
    )
    parser.add_argument(
        "--clean", type=Path, action="append", metavar="DIR", help="more clean files for the canary"
    )


def add_commands(subparsers: Subparsers) -> None:
    """Add all commands that work on the store."""
    _add_rings(subparsers)
    _add_signatures(subparsers)
    _add_catching(subparsers)
    _add(
        subparsers,
        "history",
        commands.history,
        "list what was done, when, by whom, and why",
        "history",
    )
    mirror = _add(
        subparsers,
        "mirror",
        commands.mirror_official,
        "fetch ClamAV's own databases, verify them, and publish them to ring canary",
        "mirror --from /srv/clamav",
    )
    mirror.add_argument(
        "--from", dest="source", type=Path, metavar="DIR", help="a directory instead of the internet"
    )


def _add(subparsers: Subparsers, name: str, run: Run, text: str, example: str) -> argparse.ArgumentParser:
    return add_command(subparsers, name, text, _on_store(run), f"example:\n  postern av {example}")


def _on_store(run: Run) -> BoundRun:
    """Give a command the store, show its progress, and put its progress messages before its result."""

    def on_store(parsed: argparse.Namespace) -> Result:
        told: list[str] = []
        progress: Progress = parsed.progress

        def tell(text: str) -> None:
            told.append(text)
            progress.show(text)

        result = _run(run, parsed, replace(_publisher(parsed), tell=tell))
        return Result(result.facts, [*told, *result.lines], result.code, result.complaints)

    return on_store


def _publisher(parsed: argparse.Namespace) -> Publisher:
    return Publisher(Store(parsed.store), Corpus(clean=(CLEAN, *(parsed.clean or ()))))


def _run(run: Run, parsed: argparse.Namespace, publisher: Publisher) -> Result:
    try:
        return run(publisher, parsed)
    except commands.REFUSALS as error:
        raise CommandError([f"{_PROGRAM}: {error}"]) from error


def _add_rings(subparsers: Subparsers) -> None:
    _add(subparsers, "status", commands.status, "show the generation of each ring", "status")
    publish = _add(
        subparsers,
        "publish",
        commands.publish,
        "build a generation, test it, and publish it to ring canary",
        "publish --reason 'clean files added'",
    )
    publish.add_argument(
        "--reason", default="published by hand", help="for the history (default: published by hand)"
    )
    publish.add_argument("--at-once", action="store_true", help="to all rings")
    _add(
        subparsers,
        "promote",
        commands.promote,
        "publish the generation of ring canary to all rings",
        "promote",
    )
    _add_rollback(subparsers)
    _add_freeze(subparsers)


def _add_rollback(subparsers: Subparsers) -> None:
    rollback = _add(
        subparsers,
        "rollback",
        commands.rollback,
        "roll the rings back to the previous generation, or to a given one",
        "rollback 12 --ring canary",
    )
    rollback.add_argument(
        "generation",
        type=number_option(),
        nargs="?",
        default=0,
        metavar="GENERATION",
        help="(default: the previous one)",
    )
    rollback.add_argument("--ring", choices=RINGS, default="", help="one ring only")


def _add_freeze(subparsers: Subparsers) -> None:
    """Add `freeze`, and `unfreeze` that ends it."""
    freeze = _add(
        subparsers,
        "freeze",
        commands.freeze,
        "refuse to publish until `unfreeze`",
        "freeze --reason 'false positives'",
    )
    freeze.add_argument("--reason", default="", help="shown by `status`, and when publishing is refused")
    _add(subparsers, "unfreeze", commands.thaw, "allow publishing again", "unfreeze")


def _add_signatures(subparsers: Subparsers) -> None:
    signature = _add(
        subparsers,
        "add-signature",
        commands.add_signature,
        "add a custom signature, on ring canary",
        "add-signature --hash 275a...fd0f:68 --name Invoice.Trojan --reason 'seen at acme'",
    )
    signature.add_argument(
        "--name", default="", help="`Postern.` is prepended (a YARA rule has its own name)"
    )
    signature.add_argument("--reason", required=True, help="for the history")
    what = signature.add_mutually_exclusive_group(required=True)
    what.add_argument("--hash", metavar="SHA256[:SIZE]", help="the hash of a file")
    what.add_argument("--ndb", metavar="TARGET:OFFSET:HEX", help="a pattern (as in an .ndb), or HEX alone")
    what.add_argument("--yara", type=Path, metavar="FILE", help="one YARA rule")
    what.add_argument("--file", type=Path, metavar="FILE", help="the hash of this file")
    signature.add_argument("--at-once", action="store_true", help="on all rings")
    remove = _add(
        subparsers,
        "remove-signature",
        commands.remove_signature,
        "remove a custom signature, on ring canary",
        "remove-signature Postern.Invoice.Trojan",
    )
    remove.add_argument("name", metavar="NAME", help="name, or SHA-256 of the file")
    remove.add_argument("--at-once", action="store_true", help="on all rings")


def _add_catching(subparsers: Subparsers) -> None:
    immunize = _add(
        subparsers,
        "immunize",
        commands.immunize,
        "publish the hash of a file, or of each attachment of a message, on all rings",
        "immunize invoice.exe",
    )
    immunize.add_argument(
        "what", metavar="SHA256|FILE|MESSAGE", help="a captured upload, a file, or a message"
    )
    immunize.add_argument("--simulate", action="store_true", help="only show what would be done")
    watch = subparsers.add_parser("watch", help="make signatures from what decoys capture, until stopped")
    be_command(
        watch,
        lambda parsed: _run(commands.watch, parsed, _publisher(parsed)),
        "Make signatures of what decoys capture, until stopped. The journal says what is done.",
        "example:\n  postern av watch --mirror --captures /var/lib/postern/decoy/uploads",
        has_json=False,
    )
    mode = watch.add_mutually_exclusive_group()
    mode.add_argument(
        "--mode",
        type=Immunity,
        choices=list(Immunity),
        default=Immunity.SIMULATE,
        help="what is done with captures (default: simulate)",
    )
    mode.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="file with the mode from the policy: STATE_DIR/gateways/POOL.json",
    )
    watch.add_argument("--mirror", action="store_true", help="also keep ClamAV's own databases up to date")
    program.add_journal_arguments(watch, "builder")
    for each in (immunize, watch):
        each.add_argument(
            "--captures", type=Path, action="append", default=[], metavar="DIR", help="uploads by SHA-256"
        )


def run() -> int:
    """Run `main` as a program: every error becomes an exit code."""
    return entry.run(_PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
