"""What a session counts towards, and who can be a client."""

from ipaddress import ip_address

import pytest

from common.wire.mail import GatewayRole
from services.base.sessions import ALL
from services.mail.admission import MailCaps, cannot_be_a_client
from services.mail.settings import Settings, Tenant

SETTINGS = Settings(pool="proxies", role=GatewayRole.PROXY)


@pytest.mark.parametrize("name", ["acme", "all"])
def test_a_tenants_limit_is_never_that_of_the_program(name: str) -> None:
    limits = MailCaps(total=5_000, per_tenant=2_000).limits(
        ip_address("198.51.100.66"), Tenant(name=name), None
    )
    assert limits[ALL] == 5_000
    assert sorted(limits.values()) == [100, 500, 2_000, 5_000]


@pytest.mark.parametrize(
    ("client", "cannot"),
    [
        *((each, True) for each in ("0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255")),
        *((each, True) for each in ("::", "::7", "::ffff:192.0.2.1", "ff02::1")),
        *((each, False) for each in ("198.51.100.66", "2001:db8::66", "127.0.0.1", "::1")),
    ],
)
def test_an_address_that_no_host_has_is_no_clients(client: str, cannot: bool) -> None:
    assert cannot_be_a_client(ip_address(client), Tenant(name="acme"), SETTINGS) is cannot
