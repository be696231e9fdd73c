"""`postern completion`: completion scripts for shells, made from a program's parser by shtab."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from cli import programs
from common.commands import Result, be_command

_SHELLS = ("bash", "zsh", "tcsh")
_EPILOG = """\
examples:
  postern completion bash > /etc/bash_completion.d/postern
  postern completion bash postern-mail > /etc/bash_completion.d/postern-mail
  postern completion zsh > /usr/local/share/zsh/site-functions/_postern
  postern completion tcsh > /etc/profile.d/postern.completion.csh
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_command(
        parser,
        _run,
        "Print a script that completes the commands and options of a program in a shell.",
        _EPILOG,
        has_json=False,
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell that reads the script")
    names = programs.names()
    parser.add_argument(
        "program",
        nargs="?",
        choices=names,
        default=names[0],
        metavar="PROGRAM",
        help=f"the program to complete (default: {names[0]}): {', '.join(names)}",
    )


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _run(arguments: argparse.Namespace) -> Result:
    import shtab  # only this command needs it

    parser = programs.parser_of(arguments.program)
    for action in _actions(parser):
        if action.type is Path:
            kind = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
            action.complete = kind  # type: ignore[attr-defined]  # where shtab looks for it
    script = shtab.complete(parser, shell=arguments.shell)
    return Result({"shell": arguments.shell, "program": arguments.program, "script": script}, [script])
