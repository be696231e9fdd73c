"""What gateways and responders are told is what they read, and says what the policy says."""

from ipaddress import ip_address

import pytest

from common.wire.antivirus import AntivirusSettings
from common.wire.codec import Loaded, load
from common.wire.decoy import DecoySettings
from common.wire.mail import MailSettings
from common.wire.responder import Answer, ResponderSettings
from controller.hosts.publish import text_of
from controller.hosts.render import Settings, render_gateways
from controller.policy.parse import parse_policy
from controller.store import PoolSecret
from tests.world import DEMO


def secret_of(pool: str) -> PoolSecret:
    return PoolSecret(pool.encode().hex().ljust(64, "0"), 1_700_000_000)


def rendered(old: str = "", new: str = "") -> dict[str, Settings]:
    assert old in DEMO
    return dict(
        render_gateways(parse_policy(DEMO.replace(old, new) if old else DEMO, "p.yaml"), 7, secret_of)
    )


def test_every_pool_that_speaks_with_clients_has_settings_of_its_kind() -> None:
    assert {name: type(settings) for name, settings in rendered().items()} == {
        "antivirus": AntivirusSettings,
        "decoys": DecoySettings,
        "proxies": MailSettings,
        "scanners": MailSettings,
        "responders": ResponderSettings,
    }


def test_the_settings_of_a_pool_are_read_as_they_were_written() -> None:
    for settings in rendered().values():
        assert load(type(settings), text_of(settings)) == Loaded(settings)


def test_anti_virus_servers_know_each_client_by_address_and_its_ring() -> None:
    settings = rendered()["antivirus"]
    assert isinstance(settings, AntivirusSettings)
    assert [(client.name, client.kind.value, client.ring.value) for client in settings.clients] == [
        ("acme", "tenant", "canary"),
        ("globex", "tenant", "all"),
        ("scanners", "pool", "all"),
    ]
    assert settings.client_by_source[ip_address("2001:db8:e::202")].name == "globex"


@pytest.mark.parametrize(
    ("choice", "answer"),
    [("tempfail", Answer.TEMPFAIL), ("reject", Answer.REJECT), ("bypass", Answer.TEMPFAIL)],
)
def test_a_responder_knows_every_server_and_how_to_answer_its_senders(choice: str, answer: Answer) -> None:
    settings = rendered("on_empty: tempfail", f"on_empty: {choice}")["responders"]
    assert isinstance(settings, ResponderSettings)
    assert {(tenant.name, tenant.answer) for tenant in settings.tenants} == {
        ("acme", answer),
        ("globex", Answer.TEMPFAIL),
    }
    assert set(map(str, settings.tenant_by_server)) == {
        "203.0.113.10",
        "2001:db8:a::10",
        "203.0.113.74",
        "2001:db8:b::10",
    }


def test_gateways_know_their_limits_and_those_without_one_are_not_named() -> None:
    rendered_now = rendered("proxy2: {at: s1:5,", "proxy2: {limit: 7, at: s1:5,")
    proxies, scanners = rendered_now["proxies"], rendered_now["scanners"]
    assert isinstance(proxies, MailSettings) and isinstance(scanners, MailSettings)
    assert (proxies.limits, scanners.limits) == ({"proxy2": 7}, {})
