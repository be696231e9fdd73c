"""Open sessions: limits by key, and an end with grace."""

import asyncio
from ipaddress import ip_address

import pytest

from services.base.sessions import ALL, SessionLimits, Sessions, source_key

LIMITS: SessionLimits = {ALL: 3, "acme": 2}
OTHERS: SessionLimits = {ALL: 3, "globex": 2}


@pytest.fixture
def ended() -> list[str]:
    return []


@pytest.fixture
def sessions(ended: list[str]) -> Sessions[str]:
    return Sessions(ended.append)


def test_a_session_past_the_limit_of_any_key_is_shed(sessions: Sessions[str]) -> None:
    assert [sessions.admit(name, LIMITS) for name in "abc"] == [True, True, False]
    assert sessions.admit("d", OTHERS)
    assert not sessions.admit("e", OTHERS)
    assert list(sessions) == ["a", "b", "d"]


def test_a_session_that_has_ended_makes_room(sessions: Sessions[str]) -> None:
    for name in "ab":
        sessions.admit(name, LIMITS)
    assert sessions.forget("a")
    assert sessions.admit("c", LIMITS)
    assert not sessions.admit("d", LIMITS)


def test_a_session_ends_once(sessions: Sessions[str]) -> None:
    sessions.admit("a", LIMITS)
    assert [sessions.forget("a"), sessions.forget("a")] == [True, False]
    assert [sessions.admit(name, LIMITS) for name in "bcd"] == [True, True, False]


def test_sessions_that_finish_within_the_grace_are_not_ended(
    sessions: Sessions[str], ended: list[str]
) -> None:
    async def story() -> int:
        sessions.admit("a", LIMITS)
        asyncio.get_running_loop().call_soon(sessions.forget, "a")
        return await sessions.end_all(grace_s=60)

    assert asyncio.run(story()) == 0
    assert ended == []


def test_sessions_that_are_left_are_ended_and_waited_for() -> None:
    async def story() -> tuple[int, int]:
        def end(name: str) -> None:
            asyncio.get_running_loop().call_soon(opened.forget, name)

        opened = Sessions(end)
        for name in "ab":
            opened.admit(name, LIMITS)
        return await opened.end_all(), len(opened)

    assert asyncio.run(story()) == (2, 0)


def test_a_source_of_ipv6_is_its_network() -> None:
    one, same, other = map(ip_address, ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"))
    assert source_key(one) == source_key(same) != source_key(other)
    assert source_key(ip_address("192.0.2.1")) != source_key(ip_address("192.0.2.2"))
