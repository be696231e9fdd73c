"""What a session counts towards."""

from ipaddress import ip_address

import pytest

from services.base.sessions import ALL
from services.mail.admission import MailCaps
from services.mail.settings import Tenant


@pytest.mark.parametrize("name", ["acme", "all"])
def test_a_tenants_limit_is_never_that_of_the_program(name: str) -> None:
    limits = MailCaps(total=5_000, per_tenant=2_000).limits(
        ip_address("198.51.100.66"), Tenant(name=name), None
    )
    assert limits[ALL] == 5_000
    assert sorted(limits.values()) == [100, 500, 2_000, 5_000]
