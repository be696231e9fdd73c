"""Kinds of code that work on the author's machine only: what they depend on is the caller's."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("apps", "benchmarks", "cli", "common", "controller", "lab", "mininet_topos", "services", "tests")
FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
_SUBPROCESS = {"run", "Popen", "check_output"}
_ASKS_DNS = {"getfqdn", "make_msgid", "HTTPServer", "ThreadingHTTPServer", "WSGIServer"}


@cache
def calls() -> list[tuple[str, ast.Call]]:
    return [
        (f"{file.relative_to(ROOT)}:{node.lineno}", node)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def names(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def opens_text(call: ast.Call) -> bool:
    """Whether this is `open(file, "w")` or `path.open("w")`, with a mode that has no b."""
    is_method = isinstance(call.func, ast.Attribute)
    if name_of(call) != "open" or (is_method and not call.args):
        return False
    modes = [
        each.value
        for each in (call.args[:1] if is_method else call.args[1:])
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return any(set(mode) <= set("rwax+t") for mode in modes[:1]) or (not is_method and len(call.args) == 1)


def test_no_text_is_read_or_written_by_the_callers_locale() -> None:
    bad = [
        place
        for place, call in calls()
        if "encoding" not in names(call)
        and (
            (name_of(call) == "read_text" and not call.args)
            or (name_of(call) == "write_text" and len(call.args) == 1)
            or opens_text(call)
        )
    ]
    assert bad == []


def test_no_output_of_a_program_is_decoded_by_the_callers_locale() -> None:
    bad = [
        place
        for place, call in calls()
        if name_of(call) in _SUBPROCESS and names(call) & {"text", "universal_newlines"}
    ]
    assert bad == []


def test_nothing_asks_the_name_service_for_this_machines_own_name() -> None:
    """It takes ten seconds where nobody answers. `smtplib.SMTP` asks too, unless it is told a name."""
    bad = [
        place
        for place, call in calls()
        if name_of(call) in _ASKS_DNS
        or (name_of(call) in {"SMTP", "SMTP_SSL"} and "local_hostname" not in names(call))
    ]
    assert bad == []


@pytest.mark.parametrize("word", ['os.environ["HOME"]', "os.path.expanduser", "Path.home("])
def test_no_program_needs_a_home(word: str) -> None:
    programs = [file for file in FILES if file.relative_to(ROOT).parts[0] != "tests"]
    assert [str(file) for file in programs if word in file.read_text(encoding="utf-8")] == []
