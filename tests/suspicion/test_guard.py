"""Decisions that would hurt the edge, its tenants or everybody are refused, with the reason."""

import pytest

from controller.policy.model import Protocol
from controller.suspicion.guard import Guard
from tests.suspicion.wishes import wish


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (wish("0.0.0.0/0"), "0.0.0.0/0 is an absurd range"),
        (wish("::/0"), "::/0 is an absurd range"),
        (wish("198.0.0.0/7"), "absurd range"),
        (wish("203.0.113.10"), "tenant acme's addresses"),
        (wish("203.0.113.0/24"), "tenant globex's addresses"),
        (wish("203.0.0.0/8"), "addresses"),
        (wish("2001:db8:a::/48"), "tenant acme's addresses"),
        (wish("192.0.2.11"), "the edge's own addresses"),
        (wish("100.64.0.1"), "the edge's own addresses"),
        (wish(tenant="nobody"), "no tenant is named nobody"),
        (wish(port=22), "a port needs a protocol"),
        (wish(port=22, protocol=Protocol.ICMP), "a port needs a protocol"),
        (wish(duration_s=0), "no sensible duration"),
        (wish(duration_s=1e9), "no sensible duration"),
    ],
)
def test_is_refused(guard: Guard, asked: object, reason: str) -> None:
    refusal = guard.refusal(asked)  # type: ignore[arg-type]
    assert refusal is not None
    assert reason in refusal.error
    assert refusal.remedy


@pytest.mark.parametrize(
    "asked",
    [
        wish(),
        wish("198.51.100.0/24"),
        wish("9.0.0.0/8"),
        wish("2001:db8:bad::/64"),
        wish(tenant="acme", protocol=Protocol.TCP, port=22),
        wish("203.0.113.128/25"),
    ],
)
def test_is_accepted(guard: Guard, asked: object) -> None:
    assert guard.refusal(asked) is None  # type: ignore[arg-type]
