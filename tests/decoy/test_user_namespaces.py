"""An ordinary user shuts Cowrie in with user namespaces; where these are forbidden, that is said at once."""

import subprocess
import sys

import pytest

from tests.without import ROOT, without

pytestmark = pytest.mark.programs
_ASK = (
    "import os; os.geteuid = lambda: 1000\n"
    "from services.cowrie.process import CowrieMissing, find_installed\n"
    "try: find_installed()\n"
    "except CowrieMissing as error: print(error)\n"
)


def test_without_user_namespaces_an_ordinary_users_cowrie_says_so_and_names_the_remedy() -> None:
    command = without("userns", (sys.executable, "-c", _ASK))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=30)
    assert "user namespaces are disabled on this host; remedy: run postern-cowrie as root" in done.stdout, (
        done
    )
