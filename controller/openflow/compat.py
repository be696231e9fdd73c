"""Makes Ryu 4.34 work with current eventlet, in any program that imports Ryu.

Owns the one name that Ryu misses, and the environment's start-up hook, which adds it and
keeps Ctrl-C quiet: a wheel contains the hook (`setup.py`), and `deploy/setup/environment` writes it for a
checkout.
Knows nothing about OpenFlow. Every program of the virtual environment imports it at
start, so it imports only what is already loaded.

`ryu.app.wsgi`, which `ryu-manager` always imports, needs `eventlet.wsgi.ALREADY_HANDLED`;
eventlet removed it in 0.31. The value only mattered to applications on Ryu's own WSGI
server, and we have none, so it is enough that the name exists.
"""

import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

_NAME = "ALREADY_HANDLED"
_HOOK_FILE = "postern-ryu.pth"

# One line, as site(7) requires. It is silent if Postern cannot be imported: an interpreter
# must not report an error at every start because a directory was moved.
_HOOK = (
    "import sys; exec('try:\\n"
    " from controller.openflow.compat import await_ryu\\n await_ryu()\\n"
    " from common.interrupt import quiet\\n quiet()\\n"
    "except ImportError: pass')\n"
)


class _RyuWatch:
    """The first of the finders until Ryu is imported; it finds nothing itself."""

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "ryu":
            sys.meta_path.remove(self)
            mend_distutils()
            mend_eventlet()
        return None


def await_ryu() -> None:
    """Patch eventlet when Ryu is imported, and not before. May be called more than once."""
    if "ryu" not in sys.modules and not any(isinstance(finder, _RyuWatch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _RyuWatch())


def mend_distutils() -> None:
    """Provide the package that Ryu imports and Python 3.12 removed; setuptools has it."""
    from contextlib import suppress
    from importlib.util import find_spec

    if find_spec("distutils") is None:
        with suppress(ImportError):
            import setuptools  # noqa: F401 - puts it in place


def mend_eventlet() -> None:
    """Add the name that Ryu needs to eventlet, if it is missing."""
    import warnings

    try:
        with warnings.catch_warnings():
            # Eventlet warns new projects against itself at every start. Ryu and its users have no choice.
            warnings.simplefilter("ignore")
            from eventlet import wsgi
    except ImportError:
        return  # Ryu's own import reports what is missing, better than we could here
    if not hasattr(wsgi, _NAME):
        setattr(wsgi, _NAME, object())


def write_hook(directory: str = "") -> None:
    """Write the start-up hook into a directory, by default where this environment looks. Raise `OSError`."""
    import sysconfig

    file = os.path.join(directory or sysconfig.get_path("purelib"), _HOOK_FILE)
    with open(file, "w", encoding="ascii") as hook:
        hook.write(_HOOK)


if __name__ == "__main__":
    try:
        write_hook()
    except OSError as error:
        sys.exit(f"Ryu's start-up hook cannot be written: {error}; remedy: make clean setup")
