from pathlib import Path

import pytest

from controller.policy.model import Policy
from controller.policy.parse import read_policy
from controller.suspicion.refusals import Guard


@pytest.fixture(scope="session")
def policy() -> Policy:
    return read_policy(Path(__file__).parents[2] / "policies" / "demo.yaml")


@pytest.fixture(scope="session")
def guard(policy: Policy) -> Guard:
    return Guard(policy)
