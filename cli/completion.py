"""`postern completion`: completion scripts for shells, made from the parser by shtab."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from common.commands import Result, be_command

_SHELLS = ("bash", "zsh", "tcsh")
_EPILOG = """\
examples:
  postern completion bash > /etc/bash_completion.d/postern
  postern completion zsh > /usr/local/share/zsh/site-functions/_postern
  postern completion tcsh > /etc/profile.d/postern.completion.csh
"""


def fill(parser: argparse.ArgumentParser) -> None:
    be_command(
        parser, _run, "Print a script that completes `postern` commands in a shell.", _EPILOG, has_json=False
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell that reads the script")


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _run(arguments: argparse.Namespace) -> Result:
    import shtab  # only this command needs it

    from cli.main import build_parser  # imports this module

    parser = build_parser()
    for action in _actions(parser):
        if action.type is Path:
            kind = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
            action.complete = kind  # type: ignore[attr-defined]  # where shtab looks for it
    script = shtab.complete(parser, shell=arguments.shell)
    return Result({"shell": arguments.shell, "script": script}, [script])
