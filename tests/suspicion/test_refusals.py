"""Decisions that would hurt the edge, its tenants or everybody are refused, with the reason."""

import pytest

from controller.policy.model import Protocol
from controller.suspicion.refusals import Guard
from tests.suspicion.requests import request


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (request("0.0.0.0/0"), "0.0.0.0/0 is too large a range"),
        (request("::/0"), "::/0 is too large a range"),
        (request("198.0.0.0/7"), "too large a range"),
        (request("203.0.113.10"), "tenant acme's addresses"),
        (request("203.0.113.0/24"), "tenant globex's addresses"),
        (request("203.0.0.0/8"), "addresses"),
        (request("2001:db8:a::/48"), "tenant acme's addresses"),
        (request("192.0.2.11"), "the edge's own addresses"),
        (request("100.64.0.1"), "the edge's own addresses"),
        (request(tenant="nobody"), "no tenant is named nobody"),
        (request(port=22), "a port needs a protocol"),
        (request(port=22, protocol=Protocol.ICMP), "a port needs a protocol"),
        (request(duration_s=0), "is not a valid duration"),
        (request(duration_s=1e9), "is not a valid duration"),
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
        request(),
        request("198.51.100.0/24"),
        request("9.0.0.0/8"),
        request("2001:db8:bad::/64"),
        request(tenant="acme", protocol=Protocol.TCP, port=22),
        request("203.0.113.128/25"),
    ],
)
def test_is_accepted(guard: Guard, asked: object) -> None:
    assert guard.refusal(asked) is None  # type: ignore[arg-type]
