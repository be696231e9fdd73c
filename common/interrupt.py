"""Ctrl-C while a program is still importing its modules: it ends, and shows no traceback.

Called by the start-up hook of the virtual environment, so it imports only what is already loaded.
"""

import sys
from types import TracebackType


def quiet() -> None:
    """Show no traceback of an interrupt. `common.entry` takes over once a program has begun."""
    usual = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt) or hasattr(sys, "ps1"):  # ps1: an interactive Python
            usual(kind, error, trace)

    sys.excepthook = show
