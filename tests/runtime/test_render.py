"""What gateways and responders are told is what they read, and says what the policy says."""

import json
from ipaddress import ip_address

import pytest

from controller.hosts.render import Settings, render_gateways
from controller.policy.parse import parse_policy
from controller.store import PoolSecret
from services.antivirus.settings import parse_settings as read_antivirus
from services.decoy.settings import parse_settings as read_decoy
from services.mail.settings import parse_settings as read_gateway
from services.responder.settings import Answer
from services.responder.settings import parse_settings as read_responder
from tests.world import DEMO


def secret_of(pool: str) -> PoolSecret:
    return PoolSecret(pool.encode().hex().ljust(64, "0"), 1_700_000_000)


def rendered(old: str = "", new: str = "") -> dict[str, Settings]:
    assert old in DEMO
    return dict(
        render_gateways(parse_policy(DEMO.replace(old, new) if old else DEMO, "p.yaml"), 7, secret_of)
    )


def test_every_pool_that_speaks_with_clients_has_a_file_that_its_program_reads() -> None:
    files = {name: json.dumps(settings) for name, settings in rendered().items()}
    assert set(files) == {"antivirus", "decoys", "proxies", "scanners", "responders"}
    assert read_gateway(files["proxies"]).revision == 7
    assert read_gateway(files["scanners"]).revision == 7
    assert read_responder(files["responders"]).revision == 7
    assert read_antivirus(files["antivirus"]).revision == 7
    assert read_decoy(files["decoys"]).likeness.secret.startswith(b"decoys")


def test_anti_virus_servers_know_who_asks_from_which_address_for_which_ring() -> None:
    told = read_antivirus(json.dumps(rendered()["antivirus"]))
    assert [(asker.name, asker.kind, asker.ring) for asker in told.askers] == [
        ("acme", "tenant", "canary"),
        ("globex", "tenant", "all"),
        ("scanners", "pool", "all"),
    ]
    assert told.asker_by_source[ip_address("2001:db8:e::202")].name == "globex"


@pytest.mark.parametrize(
    ("choice", "answer"),
    [("tempfail", Answer.TEMPFAIL), ("reject", Answer.REJECT), ("bypass", Answer.TEMPFAIL)],
)
def test_a_responder_knows_every_server_and_what_its_clients_are_told(choice: str, answer: Answer) -> None:
    told = read_responder(json.dumps(rendered("on_empty: tempfail", f"on_empty: {choice}")["responders"]))
    assert {(tenant.name, tenant.answer) for tenant in told.tenants} == {
        ("acme", answer),
        ("globex", Answer.TEMPFAIL),
    }
    assert set(map(str, told.tenant_by_server)) == {
        "203.0.113.10",
        "2001:db8:a::10",
        "203.0.113.74",
        "2001:db8:b::10",
    }


def test_gateways_know_their_limits_and_those_without_one_are_not_named() -> None:
    files = rendered("proxy2: {at: s1:5,", "proxy2: {limit: 7, at: s1:5,")
    assert read_gateway(json.dumps(files["proxies"])).limits == {"proxy2": 7}
    assert read_gateway(json.dumps(files["scanners"])).limits == {}
