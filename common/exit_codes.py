"""What the exit codes of all programs mean. `postern --help` and docs/cli.md print this table."""

from enum import IntEnum


class ExitCode(IntEnum):
    """70 is EX_SOFTWARE of sysexits.h; 130 is what a shell reports for a program that SIGINT has ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    CHANGES = 4
    UNEXPECTED = 70
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FAILED: "the command failed, or found a problem: standard error or the output says which",
    ExitCode.USAGE: "usage error",
    ExitCode.UNREACHABLE: "the controller cannot be reached",
    ExitCode.CHANGES: "`postern plan --detailed-exitcode`: something would change",
    ExitCode.UNEXPECTED: "an error in Postern itself: standard error names the report to send",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}


def table() -> str:
    """Return the codes and their meanings as lines for a help text."""
    return "\n".join(f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items())
