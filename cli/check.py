"""`postern check`: all errors in a policy at once, each with place and remedy."""

import argparse
from pathlib import Path
from typing import Any

from cli.common import cannot_read
from common.commands import Result, be_command
from common.exit_codes import ExitCode
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.errors import PolicyErrors
from controller.policy.model import Policy
from controller.policy.parse import read_policy

Mistake = dict[str, Any]


def fill(parser: argparse.ArgumentParser) -> None:
    be_command(
        parser,
        _run,
        "Check policy files without a controller or a switch. Prints one line for each error: "
        "file:line:column: key: what is wrong; remedy. The exit code is 0 when all files are good.",
        "example:\n  postern check policies/*.yaml",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="policy file (YAML)")


def _run(arguments: argparse.Namespace) -> Result:
    mistakes: list[Mistake] = []
    lines: list[str] = []
    complaints: list[str] = []
    for path in arguments.files:
        found = _check(path)
        if isinstance(found, list):
            mistakes += found
            complaints += _told(path, found)
        else:
            lines.append(f"{path}: good. {_summary(found)}")
    return Result(mistakes, lines, ExitCode.FAILED if mistakes else ExitCode.OK, complaints)


def _check(path: Path) -> Policy | list[Mistake]:
    """Return the policy, or its mistakes."""
    try:
        policy = read_policy(path)
        compile_policy(policy)
    except PolicyErrors as errors:
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


def _told(path: Path, mistakes: list[Mistake]) -> list[str]:
    noun = "mistake" if len(mistakes) == 1 else "mistakes"
    return [
        *(mistake["text"] for mistake in mistakes),
        f"{path}: {len(mistakes)} {noun}, nothing was applied",
    ]


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
