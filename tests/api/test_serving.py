"""The API over TCP, where it cannot be served."""

from pathlib import Path

from apps.serving import serve_bearers
from controller.api.listen import Listen


def test_no_certificate_is_made_for_an_address_that_is_not_this_machines(tmp_path: Path) -> None:
    told: list[str] = []
    serve_bearers(Listen("192.0.2.1:9057", "192.0.2.1", 9057, is_tls=True), tmp_path, None, told.append)
    assert "192.0.2.1:9057: " in told[0] and "remedy: fix that, or set POSTERN_LISTEN" in told[0]
    assert list(tmp_path.iterdir()) == []
