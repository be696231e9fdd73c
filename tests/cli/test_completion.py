"""The completion script in a real bash, and manual pages in a real groff: both are made from the parsers."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from cli.main import build_parser, main
from cli.manpages import build_page
from cli.programs import parsers

_PROGRAMS = parsers()
_COMPLETE = """\
source "$1"
shift
words=("$@")
COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1)) COMPREPLY=()
"$(complete -p "${words[0]##*/}" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(script: Path, *words: str) -> list[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", _COMPLETE, "bash", script, *words],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    file = tmp_path / "postern.bash"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("po",), ["pool"]),
        (("pool", "dr"), ["drain"]),
        (("pool", "drain", "--w"), ["--wait"]),
        (("pool", "drain", "--rea"), ["--reason"]),
        (("decisions", "add", "--action", "de"), ["decoy"]),
        (("av", "immu"), ["immunize"]),
    ],
)
def test_bash_completes_commands_options_and_choices(
    script: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    assert completed(script, "postern", *words) == expected


def test_bash_completes_files_where_a_file_is_wanted(script: Path, tmp_path: Path) -> None:
    (tmp_path / "new.yaml").touch()
    assert completed(script, "postern", "apply", f"{tmp_path}/new") == [f"{tmp_path}/new.yaml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
@pytest.mark.parametrize("program", _PROGRAMS)
def test_every_shell_gets_a_script_for_every_program(
    shell: str, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell, program]) == 0
    assert program in capsys.readouterr().out


@pytest.mark.parametrize("program", _PROGRAMS)
def test_bash_completes_the_options_of_every_program(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash", program]) == 0
    file = tmp_path / "script.bash"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert completed(file, program, "--he") == ["--help"]


@pytest.mark.parametrize("name", _PROGRAMS)
def test_a_manual_page_renders_without_a_warning(name: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-K", "utf-8"],
        input=build_page(_PROGRAMS[name]),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.stderr == ""
    shown = re.sub(r"\x1b\[\d+m", "", done.stdout)  # newer releases of groff underline the name
    assert f"{name.upper()}(1)" in shown


def test_the_manual_page_of_postern_has_every_command() -> None:
    page = build_page(build_parser())
    for command in ("postern status", "postern pool drain", "postern av immunize"):
        assert command in page
