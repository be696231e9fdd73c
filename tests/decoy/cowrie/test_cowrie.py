"""Real Cowries, attacked with real clients."""
import pytest
from tests.decoy.cowrie.conftest import Decoy
pytestmark = pytest.mark.cowrie

def test_hello(decoy: Decoy) -> None:
    done = decoy.ssh("hostname; cat /srv/secret/plan.txt; uname -r")
    print(done)
    assert "attack" in done.stdout
