"""What holds for every subcommand of `postern`, found by walking its parser."""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import build_parser
from cli.programs import parsers
from common.exit_codes import MEANINGS, ExitCode
from controller.compiler.errors import CompileError
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.world import POLICIES

_WITHOUT_JSON = {
    "av watch": "runs until it is stopped",
    "completion": "prints a shell script",
    "lab exec": "runs another program",
}


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command and group below a parser, with its words after `postern`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in dict.fromkeys(action.choices.values()):
                yield each.prog.removeprefix("postern "), each
                yield from commands(each)


def is_group(parser: argparse.ArgumentParser) -> bool:
    return any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)


_KEYS = {"file", "line", "column", "key", "message", "remedy", "text"}  # of a mistake in a file
_VALUES = {"action": "drop", "role": "sensor", "shell": "bash", "services": "smtp"}  # not a number
_MORE = {"av add-signature": ["--hash", "1"]}  # one of several options is required
ALL = dict(commands(build_parser()))
SERVICES = {name: parser for name, parser in parsers().items() if name != "postern"}
SERVICES |= {words: each for parser in SERVICES.values() for words, each in commands(parser)}
LEAVES = {name: parser for name, parser in ALL.items() if not is_group(parser)}
each_leaf = pytest.mark.parametrize("name", LEAVES)


@each_leaf
def test_a_command_has_json_or_a_reason_not_to(name: str) -> None:
    has_json = "--json" in LEAVES[name]._option_string_actions
    assert has_json != (name in _WITHOUT_JSON)


def test_no_reason_is_given_for_a_command_that_does_not_exist() -> None:
    assert set(_WITHOUT_JSON) <= set(LEAVES)


EVERYTHING = ALL | SERVICES
each_parser = pytest.mark.parametrize("name", EVERYTHING)


@each_parser
def test_the_help_of_a_command_is_a_sentence_with_an_example(name: str) -> None:
    parser = EVERYTHING[name]
    description = " ".join((parser.description or "").split())
    assert description.endswith((".", "postern.schema.json"))
    assert description[0].isupper()
    assert re.search(r"(examples?|first steps|in a hurry)[^\n]*:\n  .*postern", parser.epilog or "")
    assert all(len(line) <= 120 for line in parser.format_help().splitlines())


@each_parser
def test_every_argument_is_explained_and_shows_its_default(name: str) -> None:
    for action in EVERYTHING[name]._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        text = action.help or ""
        label = action.option_strings or action.dest
        assert text, label
        takes_value = action.nargs != 0 and not action.required
        if takes_value and action.default not in (None, "", [], argparse.SUPPRESS):
            assert "default" in text, label


def texts(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the help of each argument without its default; SERVICE counts as `--service`."""
    names = {"services": "--service"}
    return {
        names.get(name, name): (action.help or "").partition(" (default: ")[0]
        for action in parser._actions
        for name in action.option_strings or [action.dest]
    }


@pytest.mark.parametrize(
    ("command", "program", "shared"),
    [
        ("persona learn", "postern-persona learn", {"--out", "--host", "--address", "--service", "--domain"}),
        ("persona compare", "postern-persona look", {"--address", "--service", "--pause", "--without-nmap"}),
        ("decoy replay", "postern-decoy-replay", {"session"}),
    ],
)
def test_an_argument_that_a_command_passes_on_has_the_text_of_the_program_that_gets_it(
    command: str, program: str, shared: set[str]
) -> None:
    own, others = texts(LEAVES[command]), texts(SERVICES[program])
    assert shared <= own.keys() & others.keys()
    assert {name: own[name] for name in own.keys() & others.keys()} == {
        name: others[name] for name in own.keys() & others.keys()
    }


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_is_explained_in_the_help(code: ExitCode) -> None:
    assert f"  {code.value:<4} {MEANINGS[code]}" in build_parser("").format_help()


@pytest.mark.parametrize("command", ["status", "pool list", "plan"])
def test_a_command_does_not_pay_for_the_imports_of_another(command: str) -> None:
    code = (
        "import sys; from cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split(), "--help"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    loaded = done.stdout.splitlines()[-1].split()
    assert "controller" in loaded
    assert not {"services", "lab", "shtab", "aiohttp"} & set(loaded)


JSON_COMMANDS: list[list[object]] = [
    ["status"],
    ["flows"],
    ["flows", "--policy", POLICIES / "demo.yaml"],
    ["check", POLICIES / "demo.yaml"],
    ["plan", POLICIES / "demo.yaml"],
    ["apply", POLICIES / "demo.yaml"],
    ["explain", "tenants.acme"],
    ["explain", "198.51.100.66"],
    ["pool", "list"],
    ["pool", "drain", "proxy1"],
    ["pool", "resume", "proxy1"],
    ["decisions", "list"],
    ["decisions", "add", "198.51.100.66", "--action", "decoy"],
    ["decisions", "export"],
    ["allow", "add", "198.51.100.66", "--comment", "a test"],
    ["allow", "list"],
    ["token", "add", "me", "--role", "sensor"],
    ["token", "list"],
    ["schema"],
    ["schema", "sensors"],
    ["av", "fleet"],
    ["av", "client-config", "192.0.2.120"],
    ["decoy", "sessions", "--home", "/nonexistent"],
]


@pytest.mark.parametrize(
    "command", JSON_COMMANDS, ids=lambda words: " ".join(map(str, words[:2])).split("/")[0]
)
def test_with_json_there_is_one_document_and_nothing_else(
    postern: Postern, controller: Northbound, command: list[object]
) -> None:
    answer = postern(*command, "--json")
    assert answer.err == ""
    assert isinstance(json.loads(answer.out), dict | list)
    assert answer.code == ExitCode.OK


def test_with_json_errors_are_json_on_standard_error_with_the_same_code(postern: Postern) -> None:
    answer = postern("status", "--json")
    assert (answer.code, answer.out) == (ExitCode.UNREACHABLE, "")
    (text,) = json.loads(answer.err)["errors"]
    assert "no controller answers at" in text


WRONG_USAGE = {
    "an argument is missing": ("decisions add", ["decisions", "add", "--json"]),
    "a value is wrong": ("decisions show", ["decisions", "show", "--json", "seventeen"]),
    "an option is unknown": ("status", ["status", "--json", "--nosuch"]),
    "a command is unknown": ("", ["nosuch", "--json"]),
    "a command below another is unknown": ("pool", ["pool", "nosuch", "--json"]),
    "--json comes too early": ("status", ["--json", "status"]),
}


@pytest.mark.parametrize(("command", "words"), WRONG_USAGE.values(), ids=WRONG_USAGE)
def test_with_json_wrong_usage_is_one_document_on_standard_error(
    postern: Postern, command: str, words: list[str]
) -> None:
    answer = postern(*words)
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    (text,) = json.loads(answer.err)["errors"]
    assert text.startswith(f"{f'postern {command}'.strip()}: error: ")


def test_an_option_that_is_cut_short_is_the_whole_option(postern: Postern) -> None:
    """argparse accepts unambiguous beginnings of long options."""
    answer = postern("check", POLICIES / "demo.yaml", "--js")
    assert json.loads(answer.out) == []


def test_wrong_usage_is_no_json_if_json_is_an_argument_of_another_program(postern: Postern) -> None:
    answer = postern("lab", "exec", "--nosuch", "--", "cat", "--json")
    assert (answer.code, answer.err.partition(" ")[0]) == (ExitCode.USAGE, "usage:")


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - {"lab exec"}))
def test_an_unknown_option_is_answered_with_the_usage_of_its_command(postern: Postern, name: str) -> None:
    needed = [
        word
        for action in LEAVES[name]._actions
        if action.required
        for word in (*action.option_strings[:1], _VALUES.get(action.dest, "1"))
    ]
    answer = postern(*name.split(), *needed, *_MORE.get(name, ()), "--nosuch")
    assert (answer.code, answer.out) == (ExitCode.USAGE, "")
    assert answer.err.startswith(f"usage: postern {name} ")
    assert answer.err.endswith(f"postern {name}: error: unrecognized arguments: --nosuch\n")


def test_with_json_mistakes_of_a_policy_are_on_standard_output_only(postern: Postern, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("postern: 1\nmode: magic\n", encoding="utf-8")
    answer = postern("check", bad, "--json")
    assert (answer.code, answer.err) == (ExitCode.FAILED, "")
    assert json.loads(answer.out)[0].keys() == _KEYS


def test_with_json_a_file_that_cannot_be_read_has_the_keys_of_any_mistake(
    postern: Postern, tmp_path: Path
) -> None:
    (mistake,) = json.loads(postern("check", tmp_path / "missing.yaml", "--json").out)
    assert mistake.keys() == _KEYS
    assert mistake["message"] == "cannot be read: No such file or directory"
    assert mistake["remedy"] == "name a file that can be read"


def test_with_json_rules_that_conflict_have_the_keys_of_any_mistake(
    postern: Postern, monkeypatch: pytest.MonkeyPatch
) -> None:
    def conflict(_: object) -> None:
        raise CompileError("`a` and `b` want different things", "change one of the two")

    monkeypatch.setattr("cli.documents.compile_policy", conflict)
    (mistake,) = json.loads(postern("check", POLICIES / "demo.yaml", "--json").out)
    assert mistake.keys() == _KEYS
    assert mistake["remedy"] == "change one of the two"


def test_rolling_with_json_keeps_the_output_of_the_command_apart(
    postern: Postern, controller: Northbound
) -> None:
    controller.sessions = {}
    answer = postern("pool", "roll", "proxies", "--command", "echo {member}", "--json")
    assert json.loads(answer.out) == {"pool": "proxies", "restarted": ["proxy1", "proxy2"]}


@each_parser
def test_the_place_of_the_api_is_said_in_one_way(name: str) -> None:
    options = set(EVERYTHING[name]._option_string_actions)
    assert not {"--controller", "--socket", "--token", "--trust", "--url"} & options
    assert "--api" in options or not {"--token-file", "--ca-file"} & options


@each_parser
def test_files_are_checked_by_postern_check_alone(name: str) -> None:
    assert "--check" not in EVERYTHING[name]._option_string_actions


@each_parser
def test_no_option_takes_a_number_without_limits_or_a_unit_in_its_name(name: str) -> None:
    actions = EVERYTHING[name]._actions
    unbounded = [each.dest for each in actions if each.type in (int, float)]
    options = [option for each in actions for option in each.option_strings]
    with_unit = [option for option in options if re.search(r"-(seconds|mb|bytes)$", option)]
    assert (unbounded, with_unit) == ([], [])


@pytest.mark.parametrize(
    ("program", "option", "text", "problem"),
    [
        ("postern-mail", "--sessions", "0", '"0" is not a valid number (1 to 1000000000)'),
        ("postern-mail", "--grace", "nan", '"nan" is not a valid duration (0s to 1h)'),
        ("postern-responder", "--session-time", "30", "remedy: write a whole number and ms, s, m, h or d"),
        ("postern-decoy", "--uploads", "16M", "remedy: write 16MiB"),
    ],
)
def test_an_option_is_read_like_a_value_of_a_file(
    program: str, option: str, text: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        SERVICES[program].parse_args([option, text])
    assert caught.value.code == ExitCode.USAGE
    assert problem in capsys.readouterr().err
