"""Settings, scan decisions, capabilities: pure parts of the gateway."""

import json
from ipaddress import ip_address
from typing import Any

import pytest

from services.base.clamd import Verdict, VerdictKind
from services.base.settings import SettingsError, read_settings
from services.mail.relay.capabilities import offer_of
from services.mail.relay.scanning import MailFacts, disposition_of, must_scan
from services.mail.settings import Disposition, Role, Settings, Tenant


def settings_with(**of_tenant: Any) -> Settings:
    tenant = {
        "name": "acme",
        "prefixes": ["203.0.113.0/26"],
        "servers": ["203.0.113.10"],
        "scanners": [{"host": "192.0.2.100", "port": 3310}],
        **of_tenant,
    }
    media = {"format": 1, "role": "proxy", "pool": "p", "tenants": [tenant]}
    return read_settings(Settings, json.dumps(media)).record


def tenant_with(**keys: Any) -> Tenant:
    return settings_with(**keys).tenants[0]


def facts(**changes: Any) -> MailFacts:
    defaults: dict[str, Any] = {
        "client": ip_address("198.51.100.10"),
        "sender": "news@list.example",
        "recipients": ("bob@acme.example",),
        "size_bytes": 5_000,
        "is_encrypted": False,
    }
    return MailFacts(**{**defaults, **changes})


@pytest.mark.parametrize(
    ("rule", "is_scanned"),
    [
        ({"client": ["198.51.100.0/24"]}, False),
        ({"client": ["192.0.2.0/24"]}, True),
        ({"client": ["2001:db8::/32"]}, True),
        ({"sender": ["*@list.example"]}, False),
        ({"sender": ["*@other.example"]}, True),
        ({"recipient": ["bob@*"]}, False),
        ({"larger_than_bytes": 4_999}, False),
        ({"larger_than_bytes": 5_000}, True),
        ({"tls": False}, False),
        ({"tls": True}, True),
        ({"sender": ["*@list.example"], "tls": True}, True),
    ],
)
def test_a_skip_rule_holds_only_when_all_its_conditions_do(rule: dict[str, Any], is_scanned: bool) -> None:
    tenant = tenant_with(scan=[{**rule, "action": "skip"}])
    assert must_scan(Role.PROXY, tenant, facts()) is is_scanned


def test_without_rules_everything_is_scanned() -> None:
    assert must_scan(Role.PROXY, tenant_with(), facts())


def test_the_first_rule_that_holds_decides() -> None:
    rules = [{"sender": ["news@*"], "action": "scan"}, {"action": "skip"}]
    assert must_scan(Role.PROXY, tenant_with(scan=rules), facts())
    assert not must_scan(Role.PROXY, tenant_with(scan=rules), facts(sender="x@y.example"))


def test_a_recipient_rule_holds_only_for_all_recipients() -> None:
    tenant = tenant_with(scan=[{"recipient": ["bob@*"], "action": "skip"}])
    assert must_scan(Role.PROXY, tenant, facts(recipients=("bob@acme.example", "alice@acme.example")))


def test_a_scanner_in_direct_mode_scans_whatever_the_rules_say() -> None:
    assert must_scan(Role.SCANNER, tenant_with(scan=[{"action": "skip"}]), facts())


def test_no_verdict_but_clean_is_delivered_as_it_is() -> None:
    tenant = tenant_with()
    assert disposition_of(tenant, Verdict(VerdictKind.CLEAN)) is None
    assert all(disposition_of(tenant, Verdict(kind)) for kind in VerdictKind if kind is not VerdictKind.CLEAN)


def test_without_a_scanner_mail_is_deferred_unless_the_tenant_says_otherwise() -> None:
    away = Verdict(VerdictKind.UNAVAILABLE)
    assert disposition_of(tenant_with(), away) is Disposition.TEMPFAIL
    passing = tenant_with(on_verdict={"unavailable": "pass-tagged"})
    assert disposition_of(passing, away) is Disposition.PASS_TAGGED


LIMIT = 2_000


def test_the_offer_is_what_both_sides_can_do_in_the_servers_order() -> None:
    server = (
        "DSN",
        "SIZE 1000",
        "CHUNKING",
        "BINARYMIME",
        "AUTH PLAIN",
        "XCLIENT NAME",
        "8bitmime",
        "STARTTLS",
    )
    assert offer_of(server, LIMIT, True).lines == ("DSN", "SIZE 1000", "8BITMIME", "STARTTLS")


def test_eight_bit_is_not_offered_when_the_server_did_not() -> None:
    assert "8BITMIME" not in offer_of(("PIPELINING",), LIMIT, True).extensions


def test_encryption_is_not_offered_where_there_is_none() -> None:
    assert "STARTTLS" not in offer_of(("PIPELINING", "STARTTLS"), LIMIT, False).lines


@pytest.mark.parametrize(
    ("server", "limit"),
    [("SIZE 500", 500), ("SIZE 5000", 2_000), ("SIZE", 2_000), ("SIZE 0", 2_000), ("SIZE ٣", 2_000)],
)
def test_the_smaller_size_limit_is_offered(server: str, limit: int) -> None:
    offer = offer_of((server,), LIMIT, False)
    assert (offer.limit_bytes, offer.lines) == (limit, (f"SIZE {limit}",))


def test_an_offer_of_several_lines_ends_with_a_space_line() -> None:
    assert offer_of(("DSN", "PIPELINING"), LIMIT, False).encode(b"mx") == (
        b"250-mx\r\n250-DSN\r\n250 PIPELINING\r\n"
    )
    assert offer_of((), LIMIT, False).encode(b"mx") == b"250 mx\r\n"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"servers": "203.0.113.10"}, "tenants[0].servers"),
        ({"servers": ["nowhere"]}, "tenants[0].servers"),
        ({"on_verdict": {"infected": "ignore"}}, "tenants[0].on_verdict.infected"),
        ({"tls": {"clients": "maybe"}}, "tenants[0].tls.clients"),
        ({"scan": [{"tls": "yes"}]}, "tenants[0].scan[0].tls"),
        ({"message_limit_bytes": True}, "tenants[0].message_limit_bytes"),
        ({"name": 7}, "tenants[0].name"),
    ],
)
def test_a_bad_setting_is_named_by_its_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_with(**change)
    assert str(caught.value).startswith(key)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", '{"format": 2}', '{"format": 1, "role": "king"}', "[" * 5_000]
)
def test_a_file_that_is_no_settings_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        read_settings(Settings, text)


@pytest.mark.parametrize("limits", [{"g1": 0}, {"g1": -1}, {"g1": True}, {"g1": "many"}, 5, ["g1"]])
def test_a_limit_that_is_none_is_refused(limits: Any) -> None:
    with pytest.raises(SettingsError, match="limits"):
        read_settings(Settings, json.dumps({"format": 1, "role": "proxy", "pool": "p", "limits": limits}))


def test_two_tenants_cannot_have_one_server() -> None:
    tenants = [{"name": name, "servers": ["203.0.113.10"]} for name in ("a", "b")]
    with pytest.raises(SettingsError, match=r"203\.0\.113\.10"):
        read_settings(Settings, json.dumps({"format": 1, "role": "proxy", "pool": "p", "tenants": tenants}))
