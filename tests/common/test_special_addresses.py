"""The list of special-purpose addresses: complete, and right for each example."""

from ipaddress import ip_address, ip_network

import pytest

from common.special_addresses import BLOCKS, EXCEPTIONS, NEVER_OUTSIDE, Use
from services.sensors.networks import is_barred

# IANA IPv4 and IPv6 Special-Purpose Address Registries, and multicast.
REGISTRY = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.0.9/32 192.0.0.10/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.88.99.2/32 "
    "192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 "
    "240.0.0.0/4 ::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 "
    "2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 "
    "2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 "
    "fc00::/7 fe80::/10 fec0::/10 ff00::/8 "
)


def test_each_block_of_the_registries_is_there_once() -> None:
    assert [str(each.network) for each in BLOCKS] == [str(ip_network(each)) for each in REGISTRY.split()]


@pytest.mark.parametrize(
    "text",
    [
        *("0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.31.0.1", "192.0.0.8"),
        *(
            "192.0.0.171",
            "192.88.99.2",
            "192.168.9.9",
            "224.0.0.5",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
        ),
        *("::", "::1", "::10.0.0.1", "::ffff:8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1"),
        *("2001:10::1", "2001:1::4", "5f00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1"),
    ],
)
def test_an_address_that_is_never_outside_is_barred(text: str) -> None:
    assert is_barred(ip_network(text), ())


@pytest.mark.parametrize(
    "text",
    [
        *("8.8.8.8", "192.0.0.9", "192.0.0.10", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("192.31.196.1", "192.88.99.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "223.255.255.255"),
        *("2606:4700::1", "2001:db8::1", "3fff::1", "2001:2::1", "2001:0:1::1", "2001:1::1", "2001:20::1"),
        *("2002:808:808::1", "64:ff9b::808:808", "2001:200::1", "5f01::1", "101::1"),
    ],
)
def test_an_address_that_may_be_outside_passes(text: str) -> None:
    assert not is_barred(ip_network(text), ())


def test_a_prefix_that_contains_one_exception_is_barred_for_the_rest() -> None:
    assert is_barred(ip_network("192.0.0.8/30"), ())
    assert not is_barred(ip_network("2001:3:1::/48"), ())


def test_tenants_own_prefixes_are_barred_inside_an_exception_too() -> None:
    assert is_barred(ip_network("2001:3:1::/48"), (ip_network("2001:3::/32"),))


def test_what_labs_use_in_place_of_public_addresses_passes() -> None:
    tests = [each.network for each in BLOCKS if each.use is Use.TEST]
    assert all(any(ip_address(text) in each for each in tests) for text in ("203.0.113.10", "198.18.4.10"))
    assert not {each.network for each in NEVER_OUTSIDE} & set(tests)
    assert {each.use for each in EXCEPTIONS} == {Use.PUBLIC, Use.TEST}
