"""Ports that are missing or down, in words."""

from controller.topology.port_ranges import describe_ports


def test_a_few_ports_have_a_line_each() -> None:
    assert list(describe_ports({7: "scanner2", 4: "proxy1"}, "down")) == [
        "port 4 (proxy1) is down",
        "port 7 (scanner2) is down",
    ]


def test_a_thousand_consecutive_ports_have_one_line() -> None:
    names = {port: f"t{port}-gw" for port in range(100, 1_100)}
    assert list(describe_ports(names, "missing")) == ["ports 100-1099 are missing: t100-gw and 999 others"]


def test_ranges_end_where_a_port_is_good() -> None:
    names = {port: f"p{port}" for port in (1, 2, 3, 5, 6, 9)}
    assert list(describe_ports(names, "down")) == [
        "ports 1-3 are down: p1 and 2 others",
        "ports 5-6 are down: p5 and 1 other",
        "port 9 (p9) is down",
    ]


def test_every_other_port_down_is_a_bounded_number_of_lines() -> None:
    lines = list(describe_ports({port: f"p{port}" for port in range(0, 2_000, 2)}, "down"))
    assert len(lines) == 21
    assert lines[-1] == "980 other ports are down"


def test_no_port_is_no_line() -> None:
    assert list(describe_ports({}, "down")) == []
