"""The one table of exit codes is whole, and programs end with its codes."""

import argparse

import pytest

from common.commands import CommandError, Result, Run, be_command, build_command_parser, execute
from common.exit_codes import MEANINGS, ExitCode, table


def code_of(run: Run) -> ExitCode:
    parser = build_command_parser("p", "", "")
    be_command(parser, run, "", "")
    return execute(parser, [])


def test_every_code_has_one_meaning_and_a_line_in_the_table() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert len(set(MEANINGS.values())) == len(table().splitlines()) == len(ExitCode)


@pytest.mark.parametrize("code", ExitCode)
def test_a_command_ends_with_the_code_of_its_result(code: ExitCode) -> None:
    assert code_of(lambda _: Result({}, code=code)) is code


def test_a_command_that_fails_ends_with_the_code_of_its_error() -> None:
    class Unreachable(CommandError):
        code = ExitCode.UNREACHABLE

    def fail(_: argparse.Namespace) -> Result:
        raise Unreachable(["nothing answers"])

    assert code_of(fail) is ExitCode.UNREACHABLE
