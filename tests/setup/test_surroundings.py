"""What the set-up and every make target do does not depend on the shell of whoever calls them."""

import os
import pwd
import re
import subprocess
from pathlib import Path

import pytest

from tests.setup.scripts import CALM, REPOSITORY, SETUP, call, run

pytestmark = pytest.mark.programs

_SHOW = "umask; pwd; env | grep -vE '^(_|SHLVL|PWD|OLDPWD|BASH_FUNC.*)=' | sort; type -p sed; echo ÄÖ | wc -m"


@pytest.fixture
def traps(tmp_path: Path) -> Path:
    """Programs and modules that do harm if they are found."""
    for name in ("sed", "grep", "awk", "ip", "python3"):
        (tmp_path / name).write_text("#!/bin/sh\necho trapped\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "subprocess.py").write_text("raise SystemExit('trapped')\n", encoding="utf-8")
    (tmp_path / "bash_env").write_text("echo trapped; grep() { echo trapped; }\n", encoding="utf-8")
    return tmp_path


def hostile(traps: Path) -> dict[str, dict[str, str]]:
    return {
        "a path without sbin": {"PATH": "/usr/bin:/bin"},
        "a path with other programs first": {"PATH": f"{traps}:/usr/bin:/bin"},
        "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "LANGUAGE": "tr:de"},
        "no locale": {"LC_ALL": "C"},
        "a directory for temporary files that is not there": {
            "TMPDIR": "/nonexistent",
            "TEMP": "/nonexistent",
        },
        "Python's variables": {"PYTHONPATH": str(traps), "PYTHONHOME": str(traps), "PYTHONWARNINGS": "error"},
        "another environment": {"VIRTUAL_ENV": str(traps), "PYTHONUSERBASE": str(traps)},
        "pip's variables": {"PIP_USER": "1", "PIP_TARGET": str(traps), "PIP_NO_BINARY": ":all:"},
        "what changes builds": {"PBR_VERSION": "1", "SOURCE_DATE_EPOCH": "0", "UV_INDEX_URL": "x"},
        "bash's variables": {
            "CDPATH": f"/:{traps}",
            "BASH_ENV": str(traps / "bash_env"),
            "POSIXLY_CORRECT": "1",
        },
        "functions of somebody else": {"BASH_FUNC_grep%%": "() { echo trapped; }"},
        "grep's options": {"GREP_OPTIONS": "-v"},
    }


@pytest.mark.parametrize("which", hostile(Path("/")))
def test_recipes_run_in_the_same_surroundings_whatever_the_caller_has_set(which: str, traps: Path) -> None:
    calm = run(SETUP / "shell", "-c", _SHOW).stdout
    assert "0022" in calm and "LC_ALL=C.UTF-8" in calm and "/usr/sbin" in calm
    assert run(SETUP / "shell", "-c", _SHOW, environment=CALM | hostile(traps)[which]).stdout == calm


@pytest.mark.parametrize("which", hostile(Path("/")))
def test_the_set_up_sees_the_same_to_do_whatever_the_caller_has_set(which: str, traps: Path) -> None:
    """With an environment that is not there, so that each step has something to say."""
    apart = {"POSTERN_VENV": str(traps / "venv"), "POSTERN_COWRIE_VENV": str(traps / "cowrie")}
    for step in ("system", "environment", "cowrie-environment"):
        calm = run(SETUP / step, "--plan", "test", environment=CALM | apart)
        seen = run(SETUP / step, "--plan", "test", environment=CALM | apart | hostile(traps)[which], cwd="/")
        assert (seen.stdout, seen.returncode) == (calm.stdout, 0)
        assert "setlocale" in seen.stderr or not seen.stderr  # which bash says before it reads a script


@pytest.mark.parametrize("which", hostile(Path("/")))
def test_make_works_from_elsewhere_whatever_the_caller_has_set(which: str, traps: Path) -> None:
    command = ("/usr/bin/make", "--no-print-directory", "-C", REPOSITORY, "help")
    calm = run(*command)
    assert "make demo" in calm.stdout
    assert run(*command, environment=CALM | hostile(traps)[which], cwd="/").stdout == calm.stdout


def test_a_umask_of_077_does_not_keep_others_from_what_root_installs() -> None:
    command = ["/bin/sh", "-c", f"umask 077; exec '{SETUP}/shell' -c umask"]
    assert (
        subprocess.run(command, env=CALM, capture_output=True, encoding="utf-8", timeout=20).stdout
        == "0022\n"
    )


def test_a_caller_without_a_home_gets_the_one_in_the_password_file() -> None:
    shown = run(SETUP / "shell", "-c", "echo $HOME", environment={"PATH": os.defpath}).stdout.strip()
    assert shown == pwd.getpwuid(os.getuid()).pw_dir


def test_scripts_keep_a_directory_for_temporary_files_that_works(tmp_path: Path) -> None:
    assert call("echo $TMPDIR", environment=CALM | {"TMPDIR": str(tmp_path)}).strip() == str(tmp_path)


def test_postern_and_the_way_to_the_network_get_through_and_cross_sudo() -> None:
    kept = {
        "POSTERN_VENV": "/srv/venv",
        "PIP_INDEX_URL": "https://index.example/simple",
        "PIP_CERT": "/etc/own.pem",
        "https_proxy": "http://proxy.example:3128",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/etc/own.pem",
    }
    shown = call(
        "env; echo crossing: $(crossing)", environment=CALM | kept | {"SECRET": "x", "PIP_TARGET": "/"}
    )
    assert {f"{name}={value}" for name, value in kept.items()} <= set(shown.splitlines())
    (crossing,) = re.findall(r"crossing: (.*)", shown)
    assert set(crossing.split(",")) == set(kept) | {"PIP_USER"}


def test_all_scripts_of_the_set_up_ignore_what_a_caller_gives_to_bash() -> None:
    scripts = [file for file in SETUP.iterdir() if os.access(file, os.X_OK) and file.is_file()]
    assert len(scripts) >= 8
    for script in scripts:
        first, *lines = script.read_text(encoding="utf-8").splitlines()
        assert first == "#!/bin/bash -p", script
        begin = next(line for line in lines if not line.startswith("#"))
        assert begin.startswith('source "${BASH_SOURCE[0]%/*}/'), script
