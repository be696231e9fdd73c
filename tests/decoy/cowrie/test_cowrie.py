"""Real Cowries, attacked with real clients."""
import pytest
from tests.decoy.cowrie.conftest import Decoy
pytestmark = pytest.mark.cowrie
CASES = [f"-oKexAlgorithms={k}" for k in "sntrup761x25519-sha512@openssh.com curve25519-sha256 ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 diffie-hellman-group-exchange-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 diffie-hellman-group14-sha256".split()]
CASES += [f"-oCiphers={k}" for k in "chacha20-poly1305@openssh.com aes128-ctr aes192-ctr aes256-ctr aes128-gcm@openssh.com aes256-gcm@openssh.com".split()]
CASES += [f"-oCiphers=aes128-ctr -oMACs={k}" for k in "umac-64-etm@openssh.com umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com hmac-sha1-etm@openssh.com umac-64@openssh.com umac-128@openssh.com hmac-sha2-256 hmac-sha2-512 hmac-sha1".split()]
CASES += [f"-oHostKeyAlgorithms={k}" for k in "rsa-sha2-512 rsa-sha2-256 ecdsa-sha2-nistp256 ssh-ed25519".split()]
CASES += ["-oCompression=yes"]
@pytest.mark.parametrize("options", CASES)
def test_hello(decoy: Decoy, options:str) -> None:
    done = decoy.ssh("cat /srv/secret/plan.txt; for i in 1 2 3 4 5 6 7 8 9; do cat /etc/passwd; done", "-v", *options.split())
    print(done.stderr[-3000:])
    print(decoy.events()[-3:])
    assert "attack" in done.stdout
