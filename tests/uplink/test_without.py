"""The controller on a machine that lacks something: its API answers, and switches may connect."""

import socket
from pathlib import Path

import pytest

from tests.uplink.conftest import RYU_MANAGER, Controller
from tests.without import without

pytestmark = pytest.mark.programs


@pytest.mark.parametrize("feature", ["ipv6", "bpf", "userns"])
def test_the_controller_starts_without_a_feature_and_greets_switches(feature: str, tmp_path: Path) -> None:
    controller = Controller(tmp_path, without(feature, RYU_MANAGER))
    try:
        controller.start()
        with socket.create_connection(("127.0.0.1", controller.switch_port), 10) as switch:
            assert switch.recv(2)[1] == 0  # OFPT_HELLO
    finally:
        controller.stop()
