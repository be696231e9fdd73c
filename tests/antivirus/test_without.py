"""The anti-virus server on a machine without IPv6: an address of it keeps nginx from nothing."""

import json
from pathlib import Path

import pytest

from common.wire.antivirus import AntivirusSettings
from services.antivirus.builder.publisher import Publisher
from services.antivirus.server.nginx import configuration
from services.base.settings import read_settings
from tests.antivirus.conftest import Server, await_that, put_settings
from tests.without import without

POOL = ["192.0.2.90", "2001:db8:e::90"]


def test_an_address_that_the_host_cannot_have_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    put_settings(file, addresses=POOL)
    settings = read_settings(AntivirusSettings, file.read_text(encoding="utf-8")).record
    both = configuration(settings, tmp_path, is_root=False, has_ipv6=True)
    assert [f"listen {place}:80;" in both for place in ("192.0.2.90", "[2001:db8:e::90]")] == [True, True]
    alone = configuration(settings, tmp_path, is_root=False, has_ipv6=False)
    assert [f"listen {place}:80;" in alone for place in ("192.0.2.90", "[2001:db8:e::90]")] == [True, False]


@pytest.mark.programs
def test_without_ipv6_signatures_are_served_over_ipv4(
    server: Server, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    server.program = without("ipv6", server.program)
    monkeypatch.setattr(server, "configure", lambda: None)
    settings = server.home.with_suffix(".json")
    facts = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps({**facts, "addresses": ["127.0.0.1", "2001:db8:e::90"]}), encoding="utf-8")
    server.start()
    publisher.publish("a new one", at_once=True)
    await_that(lambda: server.generation() == 2, "it is served")
    (told,) = server.events("Ipv6Missing")
    assert told["lost"] == "signatures at the pool's IPv6 addresses"
