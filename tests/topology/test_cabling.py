"""Trunks and what is heard at their ends: good, wrong, silent, and when nobody is blamed."""

import pytest

from controller.policy.model import PortRef
from controller.topology.cabling import SILENCE_S, Cabling
from controller.topology.fabric import Trunk

A1, B1, C1, D1 = (PortRef(name, 1) for name in "abcd")
AB, CD = Trunk(A1, B1), Trunk(C1, D1)
LATER = SILENCE_S + 1


@pytest.fixture
def cabling() -> Cabling:
    cabling = Cabling()
    cabling.watch(0.0, [AB, CD])
    cabling.on_heard(LATER, D1, C1)
    return cabling


def said(cabling: Cabling, now: float = LATER) -> list[str]:
    return sorted(map(str, cabling.troubles(now)))


def test_a_trunk_at_whose_end_the_right_port_is_heard_is_good(cabling: Cabling) -> None:
    cabling.on_heard(LATER, B1, A1)
    assert said(cabling) == []


def test_another_port_at_its_end_is_named(cabling: Cabling) -> None:
    cabling.on_heard(LATER, B1, C1)
    assert said(cabling) == [
        "b:1 is cabled to c:1, but the policy says a:1; remedy: change the cable or `links`"
    ]


def test_a_trunk_that_stays_silent_is_named_after_a_while(cabling: Cabling) -> None:
    assert said(cabling) == ["a:1 should lead to b:1, but nothing arrives there; remedy: check the cable"]


def test_a_trunk_is_not_blamed_before_it_had_time_to_answer() -> None:
    cabling = Cabling()
    cabling.watch(0.0, [AB, CD])
    cabling.on_heard(1.0, D1, C1)
    assert said(cabling, 1.0) == []


def test_nobody_is_blamed_while_nothing_is_heard_at_all(cabling: Cabling) -> None:
    assert said(cabling, LATER + SILENCE_S + 1) == []


def test_what_cannot_be_judged_is_not_blamed(cabling: Cabling) -> None:
    cabling.watch(LATER, [CD])
    assert said(cabling) == []


def test_a_trunk_that_can_be_judged_again_gets_its_time_again(cabling: Cabling) -> None:
    cabling.watch(LATER, [CD])
    cabling.watch(LATER, [AB, CD])
    assert said(cabling) == []


def test_a_trunk_that_is_heard_again_is_good_again(cabling: Cabling) -> None:
    assert said(cabling)
    cabling.on_heard(LATER, B1, A1)
    assert said(cabling) == []
