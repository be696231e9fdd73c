"""How every program starts, and what an operator sees after an unexpected error.

`run` sets up the environment, calls the program, and turns an unexpected error into
one line on standard error and a report in a file. Exit codes are those of sysexits.h
unless a program has its own.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from common import reports
from common.commands import asks_for_json
from common.environment import settle
from common.exit_codes import ExitCode
from common.output import Output

_TRACEBACK = "Traceback (most recent call last)"
_MOST_PLACES = 100  # of errors that are reported once each: repeated errors must not fill a disk
_REMEDY = (
    "run `postern doctor`; if it finds nothing wrong, report this error with that file (see SECURITY.md)"
)


def run(program: str, main: Callable[[], int | None]) -> int:
    """Return the exit code of a program whose `main` may fail in any way. `SystemExit` passes."""
    settle()
    output = Output()
    watch(program)
    try:
        code = main() or 0
    except SystemExit:
        if (code := _finish(program, output)) != 0:
            return code
        raise
    except KeyboardInterrupt:
        say("")
        code = ExitCode.INTERRUPTED
    except OSError as error:
        code = 0 if output.caused(error) else fail(program, error)
    except BaseException as error:
        code = fail(program, error)
    return _finish(program, output) or code


def watch(program: str) -> None:
    """Also report errors in threads, in callbacks of a loop, in destructors, and errors that are logged."""
    seen = _Watch(program)
    sys.excepthook = lambda _, error, __: seen.tell(error)
    threading.excepthook = lambda given: seen.tell(
        given.exc_value, f"in thread {given.thread.name if given.thread else 'unknown'}"
    )
    sys.unraisablehook = lambda given: seen.tell(given.exc_value, given.err_msg or "in a destructor")
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each) in (logging.StreamHandler, _Handler)]:
        root.removeHandler(handler)  # handlers that write to the terminal; requested log files stay
    root.addHandler(_Handler(seen))


@contextmanager
def guarded(program: str) -> Iterator[None]:
    """End a program that runs under a third-party framework, as `run` ends ours."""
    try:
        yield
    except Exception as error:
        raise SystemExit(fail(program, error)) from None


def fail(program: str, error: BaseException, where: str = "") -> int:
    """Write a report, say in one line where it is and what to do, and return the exit code."""
    brief = f" ({reports.one_line(where)})" if where else ""
    said = f"{program}: unexpected error{brief}: {describe(error)}"
    text = ""
    try:
        text = reports.build_report(program, error, where)
        file = reports.save(program, text)
    except Exception as trouble:  # a full disk, no memory: the first error is more important than this one
        _complain(
            f"{said}; no report could be written ({describe(trouble)}), it follows here; remedy: {_REMEDY}",
            text,
        )
    else:
        _complain(f"{said}; report: {file}; remedy: {_REMEDY}")
    return ExitCode.UNEXPECTED


def describe(error: BaseException) -> str:
    """Return kind, text and notes of an error in one line, safe for any terminal."""
    text = reports.one_line("; ".join([str(error), *getattr(error, "__notes__", ())]).strip("; "))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _complain(*texts: str) -> None:
    """Print errors in the form that the program's arguments ask for: as lines, or as one JSON document."""
    for text in [json.dumps({"errors": texts})] if asks_for_json(sys.argv[1:]) else texts:
        say(text)


def say(text: str) -> None:
    """Print to standard error; ignore that it may be closed."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


class _Watch:
    """Reports an error from each place once, since most of them repeat."""

    def __init__(self, program: str) -> None:
        self.program = program
        self._places: set[tuple[str, str, int]] = set()

    def tell(self, error: BaseException | None, where: str = "") -> None:
        if isinstance(error, KeyboardInterrupt):
            say("")
        if error is None or isinstance(error, KeyboardInterrupt | SystemExit):
            return
        place = (type(error).__name__, *_place(error))
        if place in self._places or len(self._places) >= _MOST_PLACES:
            return
        self._places.add(place)
        fail(self.program, error, where)


def _place(error: BaseException) -> tuple[str, int]:
    """Return the file and line that raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ("", 0)


class _Handler(logging.Handler):
    """Receives what libraries log. asyncio logs what its callbacks and forgotten tasks raise."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is None and _TRACEBACK in message:
            error = sys.exc_info()[1]  # frameworks format an error that they have just caught
            message = message.partition(_TRACEBACK)[0]
        if error is not None:
            self._watch.tell(error, message)
        else:
            prefix = f"{self._watch.program}: " if record.levelno >= logging.WARNING else ""
            say(f"{prefix}{reports.one_line(message)}")


def _finish(program: str, output: Output) -> int:
    """Return a failure if the output cannot be written; a closed pipe is not a failure."""
    error = output.finish()
    if error is None or isinstance(error, BrokenPipeError):
        return 0
    _complain(
        f"{program}: standard output cannot be written: {error.strerror or error}; "
        "remedy: free some space there, or redirect the output"
    )
    return ExitCode.FAILED
