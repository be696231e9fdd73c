"""Standard output that accepts any character, and knows which errors were its own.

A full disk or a closed pipe appears as an `OSError` anywhere in a program. Only the
descriptor distinguishes it from the same error of another file.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Any


class _Descriptor(io.FileIO):
    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = error
            raise


class Output:
    """Replaces `sys.stdout`, unless something else (a test) already has."""

    def __init__(self) -> None:
        self._descriptor: _Descriptor | None = None
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:
            self._descriptor = _Descriptor(sys.stdout.fileno(), "w", closefd=False)
            sys.stdout = io.TextIOWrapper(
                io.BufferedWriter(self._descriptor),
                encoding=sys.stdout.encoding,
                errors="backslashreplace",
                line_buffering=sys.stdout.line_buffering or sys.stdout.write_through,
            )

    def caused(self, error: OSError) -> bool:
        return self._descriptor is not None and error is self._descriptor.error

    def finish(self) -> OSError | None:
        """Write what was printed; return the error that prevented it, if any."""
        if self._descriptor is None:
            return None
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            return self._descriptor.error
        # The interpreter tries to write the rest again when it ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._descriptor.fileno())
        return self._descriptor.error
