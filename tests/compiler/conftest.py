from pathlib import Path

import pytest

from controller.policy.model import Policy
from controller.policy.parse import read_policy

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="session")
def demo() -> Policy:
    return read_policy(POLICIES / "demo.yaml")
