"""`postern-av`: builds, tries and publishes anti-virus signatures. `postern av` hands over to it."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from common import entry
from common.wire.antivirus import Immunity
from services.antivirus.builder import commands
from services.antivirus.builder.corpus import CLEAN, Corpus
from services.antivirus.builder.publisher import Publisher
from services.antivirus.builder.store import Store
from services.antivirus.formats import RINGS
from services.base import program

DEFAULT_STORE = "/var/lib/postern/antivirus"
_EPILOG = """\
a new signature, carefully:
  postern-av add-signature --hash 275a...fd0f:68 --name Invoice.Trojan --reason "seen at acme"
  postern-av status                  generation 13 is on ring canary only
  postern-av promote                 everybody gets it

in a hurry, and back again:
  postern-av immunize invoice.exe    by its hash, for everybody, once the canary agrees
  postern-av rollback                everybody gets what he had before

Every generation is loaded by a canary first: a clamd of its own that must find all samples, and nothing in
clean files. If it refuses, nobody gets anything. Exit codes: 0 done, 1 refused (said on standard error).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build_parser().parse_args(arguments)
    corpus = Corpus(clean=(CLEAN, *(parsed.clean or ())))
    publisher = Publisher(Store(parsed.store), corpus, _tell)
    try:
        code: int = parsed.run(publisher, parsed)
    except commands.REFUSALS as error:
        print(f"postern-av: {error}", file=sys.stderr)
        return 1
    return code


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


Run = Callable[[Publisher, argparse.Namespace], int]


def build_parser() -> argparse.ArgumentParser:
    parser = program.build_parser(
        "postern-av", "Build, try and publish anti-virus signatures for a whole fleet.", _EPILOG
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("POSTERN_AV_STORE") or DEFAULT_STORE),
        help=f"the builder's store (default: $POSTERN_AV_STORE, or {DEFAULT_STORE})",
    )
    parser.add_argument(
        "--clean", type=Path, action="append", metavar="DIR", help="more clean files for the canary"
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Run, text: str) -> argparse.ArgumentParser:
        each = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        each.set_defaults(run=run)
        return each

    add("status", commands.status, "what each ring has").add_argument("--json", action="store_true")
    publish = add("publish", commands.publish, "build a generation, try it, and give it to ring canary")
    publish.add_argument("--reason", default="published by hand")
    publish.add_argument("--at-once", action="store_true", help="to everybody")
    add("promote", commands.promote, "give everybody what ring canary has")
    rollback = add(
        "rollback", commands.rollback, "take the rings back, to the generation before or to a given one"
    )
    rollback.add_argument("generation", type=int, nargs="?", default=0)
    rollback.add_argument("--ring", choices=RINGS, default="", help="one ring only")
    add("freeze", commands.freeze, "have nothing published until `unfreeze`").add_argument(
        "--reason", default=""
    )
    add("unfreeze", commands.thaw, "let signatures be published again")
    add("history", commands.history, "who did what, when and why").add_argument("--json", action="store_true")
    _add_signatures(add)
    _add_catching(add)
    mirror = add(
        "mirror",
        commands.mirror_official,
        "fetch ClamAV's own databases, verify them, and publish them to ring canary",
    )
    mirror.add_argument(
        "--from", dest="source", type=Path, metavar="DIR", help="a directory instead of the internet"
    )
    return parser


def _add_signatures(add: Callable[[str, Run, str], argparse.ArgumentParser]) -> None:
    signature = add("add-signature", commands.add_signature, "add a signature of our own, on ring canary")
    signature.add_argument("--name", default="", help="Postern. is put before it (a YARA rule has its own)")
    signature.add_argument("--reason", required=True, help="why, for those who come after you")
    what = signature.add_mutually_exclusive_group(required=True)
    what.add_argument("--hash", metavar="SHA256[:SIZE]")
    what.add_argument("--ndb", metavar="TARGET:OFFSET:HEX", help="a pattern (as in an .ndb), or HEX alone")
    what.add_argument("--yara", type=Path, metavar="FILE", help="one YARA rule")
    what.add_argument("--file", type=Path, metavar="FILE", help="the hash of this file")
    signature.add_argument("--at-once", action="store_true", help="for everybody")
    remove = add(
        "remove-signature", commands.remove_signature, "take a signature of our own out, on ring canary"
    )
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--at-once", action="store_true", help="for everybody")


def _add_catching(add: Callable[[str, Run, str], argparse.ArgumentParser]) -> None:
    immunize = add("immunize", commands.immunize, "have everybody find a file, or what a message carries")
    immunize.add_argument("what", metavar="SHA256|FILE|MESSAGE")
    immunize.add_argument("--simulate", action="store_true", help="only say what would be done")
    watch = add("watch", commands.watch, "make signatures of what decoys catch, until stopped")
    mode = watch.add_mutually_exclusive_group()
    mode.add_argument(
        "--mode", type=Immunity, choices=list(Immunity), default=Immunity.SIMULATE, help="default: simulate"
    )
    mode.add_argument(
        "--settings", type=Path, metavar="FILE", help="as the policy says: STATE_DIR/gateways/POOL.json"
    )
    watch.add_argument("--mirror", action="store_true", help="keep ClamAV's own databases current, too")
    for each in (immunize, watch):
        each.add_argument(
            "--captures", type=Path, action="append", default=[], metavar="DIR", help="uploads by SHA-256"
        )


def run() -> int:
    """Be the program: `main`, whatever happens."""
    return entry.run("postern-av", main)


if __name__ == "__main__":
    sys.exit(run())
