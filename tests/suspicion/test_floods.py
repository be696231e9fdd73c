"""Who has far too many connections, and whose limit is at work: told, and never decided."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from common.config.errors import ConfigErrors
from controller.policy.limits import limits_of
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from controller.pools.conntrack import open_by_source
from controller.suspicion.floods import AT_ONCE, LIMITS_AT_ONCE, TOLD_EVERY_S, Floods

FLOODER, CUSTOMER = ip_address("198.51.100.66"), ip_address("198.51.100.10")
DEMO = Path(__file__).parents[2] / "policies" / "demo.yaml"


def test_a_source_with_far_too_many_connections_is_told_of_and_decides_nothing() -> None:
    (found,) = Floods().on_connections(0.0, {FLOODER: AT_ONCE, CUSTOMER: 5})
    assert (found.kind, found.source, found.is_proven) == ("flood", FLOODER, False)
    assert found.detail == "200 connections at once"


def test_a_source_that_goes_on_is_told_of_again_after_a_while() -> None:
    floods, many = Floods(), {FLOODER: AT_ONCE}
    assert floods.on_connections(0.0, many)
    assert not floods.on_connections(1.0, many)
    assert floods.on_connections(TOLD_EVERY_S + 1, many)


def test_a_limit_that_is_at_work_is_told_once_and_its_end_once() -> None:
    floods, told = Floods(), []
    for second, packets in enumerate((0, 10, 500, 1_000, 1_010, 1_020)):
        told.append(floods.on_packets(float(second), "acme", 100, packets))
    assert [change.is_flooded if change else None for change in told] == [None, None, True, None, False, None]
    assert floods.flooded == {}


def test_a_switch_that_counts_anew_is_no_flood_and_no_end_of_one() -> None:
    floods = Floods()
    floods.on_packets(0.0, "acme", 100, 0)
    assert floods.on_packets(1.0, "acme", 100, 900)
    assert floods.on_packets(2.0, "acme", 100, 3) is None
    assert "acme" in floods.flooded


def test_who_has_no_limit_any_more_is_forgotten() -> None:
    floods = Floods()
    floods.on_packets(0.0, "acme", 100, 0)
    floods.on_packets(1.0, "acme", 100, 900)
    floods.on_policy(limited_to(["globex"]))
    assert floods.flooded == {}


def test_each_limit_is_looked_at_in_its_turn_however_many_there_are() -> None:
    floods, policy = Floods(), limited_to([f"t{number}" for number in range(60)])
    turns = [floods.next_limits(policy) for _ in range(3)]
    assert [len(turn) for turn in turns] == [LIMITS_AT_ONCE, LIMITS_AT_ONCE, 20]
    assert {limit.rule for turn in turns for limit in turn} == {each.rule for each in limits_of(policy)}
    assert floods.next_limits(policy) == turns[0]
    assert len(floods.next_limits(limited_to(["acme"]))) == 2


def with_limit(text: str) -> Policy:
    whole = DEMO.read_text(encoding="utf-8").replace(
        "    prefixes: [", f"    limit_per_second: {text}\n    prefixes: ["
    )
    return parse_policy(whole, "demo.yaml")


def test_a_limit_can_be_lowered_and_turned_off_and_is_never_zero() -> None:
    assert {limit.per_s for limit in limits_of(with_limit("7"))} == {7}
    assert list(limits_of(with_limit("off"))) == []
    for wrong in ("0", "-1", "none"):
        with pytest.raises(ConfigErrors, match="limit_per_second"):
            with_limit(wrong)


def limited_to(names: list[str]) -> Policy:
    """Return the demo with tenants of these names, each with a limit."""
    policy = parse_policy(DEMO.read_text(encoding="utf-8"), "demo.yaml")
    return replace(policy, tenants=tuple(replace(policy.tenants[0], name=name) for name in names))


def test_only_open_connections_from_outside_are_counted_by_source() -> None:
    def line(state: str, zone: int, source: str = "198.51.100.66") -> str:
        ends = f"src={source},dst=203.0.113.10,sport=1,dport=25"
        info = f"protoinfo=(state_orig={state},state_reply={state})"
        return f"tcp,orig=({ends}),reply=(),zone={zone},labels=0x1,{info}"

    lines = [line("ESTABLISHED", 1)] * 3 + [
        line("TIME_WAIT", 1),
        line("ESTABLISHED", 2),
        "rubbish",
        "rubbish",
    ]
    lines += [line("ESTABLISHED", 1, "198.51.100.10")]
    assert open_by_source(lines, 3) == {FLOODER: 3}
    assert open_by_source(lines, 4) == {}
