"""The gateway on a machine without IPv6: mail over IPv4 goes on, and the journal says what is lost."""

from pathlib import Path

import pytest

from tests.mail.conftest import StartGateway
from tests.mail.scripted import ScriptedServer
from tests.without import start_programs_without

pytestmark = pytest.mark.programs


def test_without_ipv6_mail_is_delivered_over_ipv4_and_the_loss_is_noted_once(
    start_gateway: StartGateway, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_programs_without("ipv6", tmp_path, monkeypatch)
    gateway = start_gateway(server.port)
    assert gateway.client().message(b"Subject: hello\r\n\r\nbody") == "250 2.0.0 queued as 1"
    (told,) = gateway.events("Ipv6Missing")
    assert told["lost"].startswith("mail to tenants' IPv6 addresses")
    assert "ipv6.disable=1" in told["remedy"]
