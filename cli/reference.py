"""docs/cli.md: every program, command and argument, from the parsers."""

import argparse
from collections.abc import Iterator, Mapping

from common.exit_codes import MEANINGS

_COMMON = ("help", "json", "api", "token_file", "ca_file")
_HEAD = """\
# Commands

`make docs` generates this page from the programs' own parsers; do not edit it. `make man` writes manual
pages with the same content into `build/man`; `postern completion bash` prints a completion script (also
`zsh`, `tcsh`), and `postern completion bash postern-mail` that of another program.

## Everywhere

Every command has `--help`.

| argument | meaning |
| --- | --- |
| `--json` | print one JSON document on standard output; errors are `{"errors": [...]}` on standard error |
| `--api ADDRESS` | the controller's API: `unix:PATH`, or `https://HOST:PORT` |
| `--token-file FILE` | file with the token for `https://`; only its owner may read it |
| `--ca-file FILE` | certificate (PEM) to trust for `https://`, if the system does not trust it |

Their defaults are `$POSTERN_API`, otherwise `unix:/run/postern/api.sock`; `$POSTERN_TOKEN_FILE`, otherwise
`/etc/postern/token`; `$POSTERN_CA_FILE`.

A command that takes more than two seconds shows its progress on standard error: one line that is updated on
a terminal, otherwise a line every few seconds. Colour is used on a terminal only, and not if `NO_COLOR` is
set.

| exit code | meaning |
| --- | --- |
"""


def build_page(parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """Return the page. Unlike argparse's own help, it is the same for every version of Python."""
    codes = "".join(f"| {code.value} | {meaning} |\n" for code, meaning in MEANINGS.items())
    return _HEAD + codes + "".join(section for parser in parsers.values() for section in _sections(parser, 2))


def _sections(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} {parser.prog}\n\n{' '.join((parser.description or '').split())}\n"
    if marks := _marks(parser):
        yield f"\nTakes {marks}.\n"
    rows = [_row(action) for action in _own(parser)]
    if rows:
        yield "\n| argument | meaning |\n| --- | --- |\n" + "".join(rows)
    if parser.epilog:
        yield f"\n```text\n{parser.epilog.strip()}\n```\n"
    for command in _commands(parser):
        yield from _sections(command, 3)


def _marks(parser: argparse.ArgumentParser) -> str:
    """Return which of the common arguments a command takes."""
    taken = {action.dest for action in parser._actions}
    marks = [text for dest, text in (("json", "`--json`"), ("api", "`--api`")) if dest in taken]
    return " and ".join(marks) + (" with its token and certificate" if "token_file" in taken else "")


def _own(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [
        action
        for action in parser._actions
        if action.dest not in (*_COMMON, "version") and not isinstance(action, argparse._SubParsersAction)
    ]


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


def _row(action: argparse.Action) -> str:
    required = " (required)" if action.required and action.option_strings else ""
    return f"| {_name(action)} | {(action.help or '').replace('|', chr(92) + '|')}{required} |\n"


def _name(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        words = str(value)
    else:
        words = ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")
    return f"`{words}`".replace("|", "\\|")
