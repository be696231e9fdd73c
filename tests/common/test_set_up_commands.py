"""Every page that connects a switch sets it up first, with the settings that the controller watches."""

from itertools import pairwise
from pathlib import Path

import pytest

from controller.drift.bridge_settings import set_up
from tests.common.test_doc_links import PAGES

_CONNECT = "    ovs-vsctl set-controller "
_CONNECTING = [page for page in PAGES if _CONNECT in page.read_text(encoding="utf-8")]


def test_the_readme_and_the_installation_connect_a_switch() -> None:
    assert {"README.md", "install.md"} <= {page.name for page in _CONNECTING}


@pytest.mark.parametrize("page", _CONNECTING, ids=lambda page: page.name)
def test_a_switch_is_set_up_before_it_gets_a_controller(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if line.startswith(_CONNECT):
            bridge = line.split()[2]
            assert f"ovs-vsctl {set_up(bridge)}" in before
