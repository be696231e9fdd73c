"""The one thing that setup.cfg cannot say: a wheel brings the hook that lets Ryu be imported (compat.py)."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

_COMPAT = Path(__file__).parent / "controller" / "openflow" / "compat.py"


class BuildWithHook(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # the set-up writes it there
            runpy.run_path(str(_COMPAT))["write_hook"](self.build_lib)


setup(cmdclass={"build_py": BuildWithHook})
