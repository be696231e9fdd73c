"""Values that records share."""

from ipaddress import ip_address, ip_network

import pytest

from common.wire.values import network_of


@pytest.mark.parametrize("text", ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::ffff"])
def test_the_network_of_an_address_has_that_address_only(text: str) -> None:
    assert network_of(ip_address(text)) == ip_network(text)
