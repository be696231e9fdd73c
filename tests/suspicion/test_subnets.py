"""When enough neighbours are suspicious at once, their network is decided about."""

from ipaddress import ip_network

from controller.suspicion.subnets import Subnets


def test_the_third_of_three_brings_its_network() -> None:
    subnets = Subnets()
    sources = [ip_network(f"198.51.100.{last}") for last in (1, 2, 3)]
    found = [subnets.on_decided(0.0, source, 60.0, enough=3) for source in sources]
    assert found == [None, None, ip_network("198.51.100.0/24")]


def test_the_same_one_again_and_again_is_one() -> None:
    subnets = Subnets()
    assert not any(subnets.on_decided(0.0, ip_network("198.51.100.1"), 60.0, 2) for _ in range(9))


def test_those_whose_time_is_over_do_not_count() -> None:
    subnets = Subnets()
    subnets.on_decided(0.0, ip_network("198.51.100.1"), 60.0, 2)
    assert subnets.on_decided(61.0, ip_network("198.51.100.2"), 120.0, 2) is None


def test_strangers_are_no_crowd() -> None:
    subnets = Subnets()
    subnets.on_decided(0.0, ip_network("198.51.100.1"), 60.0, 2)
    assert subnets.on_decided(0.0, ip_network("198.51.101.1"), 60.0, 2) is None


def test_sites_of_ipv6_are_neighbours_within_a_48() -> None:
    subnets = Subnets()
    subnets.on_decided(0.0, ip_network("2001:db8:bad:1::/64"), 60.0, 2)
    found = subnets.on_decided(0.0, ip_network("2001:db8:bad:2::/64"), 60.0, 2)
    assert found == ip_network("2001:db8:bad::/48")


def test_nought_turns_it_off() -> None:
    assert Subnets().on_decided(0.0, ip_network("198.51.100.1"), 60.0, 0) is None
