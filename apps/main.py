"""`postern-controller`: the edge under Ryu's own manager, with the arguments that Ryu takes.

Imports nothing of Ryu before it has to: Ryu's manager replaces Python's sockets when it is
imported, and that must come before any other module uses them.
"""

import argparse
import sys
from collections.abc import Sequence

from common import entry
from common.exit_codes import ExitCode
from common.reports import one_line
from controller.settings import PROGRAM, SECTION, table

_EDGE = "apps.edge"
_EPILOG = f"""\
settings, from the environment or from the [{SECTION}] section of a file given with --config-file:
{table()}

SIGHUP reloads the policy file. A bad file changes nothing and says why.

All arguments are passed on to Ryu, for example:
  --ofp-listen-host ADDRESS, --ofp-tcp-listen-port PORT   where switches connect (all addresses, 6653)
  --config-file FILE, --verbose                           `ryu-manager --help` lists all of them

example:
  POSTERN_POLICY=/etc/postern/policy.yaml postern-controller --ofp-listen-host 127.0.0.1
"""


def build_parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=PROGRAM,
        usage="%(prog)s [-h] [ARGUMENTS OF RYU]",
        description="Run the controller of an edge: ryu-manager with the application apps/edge.py.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    _, of_ryu = build_parser().parse_known_args(arguments)
    from controller.openflow.compat import await_ryu

    await_ryu()
    from oslo_config import cfg
    from ryu.cmd import manager

    try:
        manager.main([*of_ryu, _EDGE], PROGRAM)
    except cfg.ConfigFileParseError as error:  # its text names the file twice
        return _refuse(str(error.msg).removeprefix("at "))
    except cfg.Error as error:
        return _refuse(str(error))
    except OSError as error:
        if error.filename and any(str(error.filename) in each for each in of_ryu):
            return _refuse(f"{error.filename}: {error.strerror}")
        raise
    return 0


def _refuse(why: str) -> int:
    entry.say(f"{PROGRAM}: {one_line(why)}; remedy: name another file in the arguments")
    return ExitCode.FAILED


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run(PROGRAM, main)


if __name__ == "__main__":
    sys.exit(run())
