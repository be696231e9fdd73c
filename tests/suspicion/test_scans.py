"""Who tries many doors in a short time is called a scanner; who knocks at one is not."""

from ipaddress import ip_address

from controller.suspicion.scans import DOORS, WINDOW_S, Scans
from controller.suspicion.scores import Evidence


def knock(port: int, destination: str = "203.0.113.50", source: str = "198.51.100.66") -> Evidence:
    return Evidence("dark-packet", ip_address(source), destination=destination, port=port)


def test_many_ports_of_one_address_are_a_scan() -> None:
    (found,) = Scans().on_samples(0.0, [knock(port) for port in range(DOORS)])
    assert (found.kind, str(found.source), found.is_proven) == ("scan", "198.51.100.66", False)


def test_one_port_of_many_addresses_is_a_scan() -> None:
    assert Scans().on_samples(0.0, [knock(22, f"203.0.113.{last}") for last in range(DOORS)])


def test_the_same_door_again_and_again_is_none() -> None:
    assert not Scans().on_samples(0.0, [knock(22)] * 500)


def test_doors_that_were_tried_long_ago_do_not_count() -> None:
    scans = Scans()
    assert not scans.on_samples(0.0, [knock(port) for port in range(DOORS - 1)])
    assert not scans.on_samples(WINDOW_S + 1, [knock(port) for port in range(100, 100 + DOORS - 1)])


def test_each_sources_doors_are_its_own() -> None:
    knocks = [knock(port, source=f"198.51.100.{1 + port % 2}") for port in range(2 * DOORS - 2)]
    assert not Scans().on_samples(0.0, knocks)


def test_a_scan_that_goes_on_is_told_again() -> None:
    assert len(Scans().on_samples(0.0, [knock(port) for port in range(3 * DOORS)])) == 3
