"""Programs that Debian confines to its own directories are run without that, where it is possible."""

import subprocess
from pathlib import Path

import pytest

from common import apparmor
from common.apparmor import unconfined

pytestmark = pytest.mark.programs


def test_the_shell_asks_the_kernel_before_it_becomes_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel of this machine may have no AppArmor, so a file stands for its own."""
    asked = tmp_path / "exec"
    script = apparmor.LEAVE_PROFILE.replace("/proc/self/attr/apparmor/exec", str(asked))
    assert script != apparmor.LEAVE_PROFILE
    monkeypatch.setattr(apparmor, "LEAVE_PROFILE", script)
    with subprocess.Popen(unconfined(["/bin/sh", "-c", "echo $$"]), stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert int(process.stdout.read()) == process.pid
    assert asked.read_text(encoding="ascii") == "exec unconfined\n"


@pytest.mark.parametrize("words", [["a b", "$HOME", "*"], [""]])
def test_whatever_the_kernel_says_the_program_gets_its_words_and_its_exit_code_is_returned(
    words: list[str],
) -> None:
    command = ["/bin/sh", "-c", 'printf "%s\\n" "$@"; exit 7', "sh", *words]
    done = subprocess.run(unconfined(command), capture_output=True, encoding="utf-8", timeout=20)
    assert (done.returncode, done.stdout.split("\n")[:-1], done.stderr) == (7, words, "")
