"""A wheel built from the files of this repository alone, and an environment with nothing else of ours."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def files_of_the_repository() -> list[str]:
    """Return what git knows, or will know: nothing that an earlier build has left."""
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True).stdout
    return sorted(name for name in listed.split("\0") if name and (REPOSITORY / name).exists())


@dataclass(frozen=True)
class Wheel:
    file: Path

    def names(self) -> set[str]:
        """Return the files in it: those of packages as they are installed, those of `share/` likewise."""
        with zipfile.ZipFile(self.file) as archive:
            return {re.sub(r"^postern-[^/]*\.data/data/", "", name) for name in archive.namelist()}

    def programs(self) -> list[str]:
        """Return the console scripts that it says it has."""
        points = configparser.ConfigParser()
        with zipfile.ZipFile(self.file) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/entry_points.txt"))
            points.read_string(archive.read(name).decode())
        return list(points["console_scripts"])


@dataclass(frozen=True)
class Environment:
    """A virtual environment into which a wheel was installed, and what its programs are started with."""

    root: Path

    @property
    def python(self) -> str:
        return str(self.root / "bin" / "python")

    @property
    def code(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.root)}))

    @property
    def variables(self) -> dict[str, str]:
        """Nothing of ours, and nothing of whoever runs the tests."""
        return {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": str(self.root), "LANG": "C.UTF-8"}

    def program(self, name: str) -> tuple[str]:
        return (str(self.root / "bin" / name),)

    def run(self, *command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=cwd,
            env=self.variables,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )


def build(directory: Path) -> Wheel:
    source = directory / "source"
    for name in files_of_the_repository():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, source / name)
    left = source / "build" / "lib" / "services" / "left_by_an_earlier_build.py"
    left.parent.mkdir(parents=True)
    left.touch()
    _pip("wheel", "--no-build-isolation", "--no-deps", "--no-index", f"--wheel-dir={directory}", str(source))
    (file,) = directory.glob("*.whl")
    return Wheel(file)


def install(wheel: Wheel, root: Path) -> Environment:
    """Install a wheel where nothing else is; what it depends on comes from the environment of the tests."""
    venv.create(root, symlinks=True)
    environment = Environment(root)
    _pip(f"--python={environment.python}", "install", "--no-deps", "--no-index", str(wheel.file))
    # A directory that a .pth file names is searched, but its own .pth files are not read (site(7)): neither
    # this checkout nor the hook that was written for it gets in.
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (environment.code / "dependencies.pth").write_text("\n".join(places) + "\n", encoding="utf-8")
    return environment


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
