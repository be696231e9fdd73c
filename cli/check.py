"""`postern check`: everything that is wrong with a policy, at once, each with place and remedy."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cli.common import Subparsers, cannot_read
from common.config.errors import ConfigErrors
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.policy.model import Policy
from controller.policy.parse import read_policy


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "check",
        help="say everything that is wrong with a policy",
        description="Check policy files without a controller or a switch. Prints one line for each mistake: "
        "file:line:column: key: what is wrong; remedy. Exit code 0 when all files are good.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="policy file (YAML)")
    parser.add_argument("--json", action="store_true", help="print a JSON list of mistakes, for editors")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    mistakes: list[dict[str, Any]] = []
    for path in arguments.files:
        found = _check(path)
        if isinstance(found, list):
            mistakes += found
            if not arguments.json:
                _print_mistakes(path, found)
        elif not arguments.json:
            print(f"{path}: good. {_summary(found)}")
    if arguments.json:
        print(json.dumps(mistakes, indent=1))
    return 1 if mistakes else 0


def _check(path: Path) -> Policy | list[dict[str, Any]]:
    """Return the policy, or its mistakes."""
    try:
        policy = read_policy(path)
        compile_policy(policy)
    except ConfigErrors as errors:
        return [
            {
                "file": error.place.file,
                "line": error.place.line,
                "column": error.place.column,
                "key": error.key,
                "message": error.message,
                "remedy": error.remedy,
                "text": str(error),
            }
            for error in errors.errors
        ]
    except OSError as error:
        said = cannot_read(path, error)
        return [{"file": str(path), "message": said.removeprefix(f"{path}: "), "text": said}]
    except CompileError as error:
        return [{"file": str(path), "message": str(error), "text": f"{path}: {error}"}]
    return policy


def _print_mistakes(path: Path, mistakes: list[dict[str, Any]]) -> None:
    for mistake in mistakes:
        print(mistake["text"], file=sys.stderr)
    noun = "mistake" if len(mistakes) == 1 else "mistakes"
    print(f"{path}: {len(mistakes)} {noun}, nothing was applied", file=sys.stderr)


def _summary(policy: Policy) -> str:
    members = sum(len(pool.members) for pool in policy.pools)
    counts = (
        (len(policy.switches), "switch", "switches"),
        (len(policy.uplinks), "uplink", "uplinks"),
        (len(policy.tenants), "tenant", "tenants"),
        (len(policy.pools), "pool", "pools"),
        (members, "pool member", "pool members"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts) + "."
