"""How members are looked at: one word, or each thing written out; times with their units."""

import pytest

from common.config.kinds import Wrong, duration
from controller.policy.model import HealthSource, HttpCheck, Pool, PoolHealth, TcpCheck
from controller.policy.parse import parse_policy
from tests.world import POLICIES

MINIMAL = (POLICIES / "minimal.yaml").read_text(encoding="utf-8")


def scanners(keys: str) -> Pool:
    """Return the minimal policy's one pool, with more keys."""
    text = MINIMAL.replace("kind: scanner", f"kind: scanner\n    {keys}")
    (pool,) = parse_policy(text, "p.yaml").pools
    return pool


def test_without_a_word_nobody_looks() -> None:
    assert scanners("port: 3310").health.by is HealthSource.NONE


@pytest.mark.parametrize("word", ["agent", "{by: agent}", "{interval: 300ms}"])
def test_one_word_takes_every_default(word: str) -> None:
    assert scanners(f"health: {word}").health == PoolHealth(HealthSource.AGENT)


def test_everything_can_be_written_out() -> None:
    written = (
        "{interval: 1s, timeout: 250ms, falls: 3, rises: 4, silence: 1m, slow_start: 0s, hold_down: 1m, "
        "signatures_max_age: 36h, canary_interval: 5m, "
        "http: [{port: 80, path: /x, status: 204}, {port: 81}], tcp: [{port: 22, banner: SSH-2.0-}]}"
    )
    assert scanners(f"health: {written}").health == PoolHealth(
        HealthSource.AGENT,
        interval_s=1.0,
        timeout_s=0.25,
        falls=3,
        rises=4,
        silence_s=60.0,
        slow_start_s=0.0,
        hold_down_s=60.0,
        signatures_max_age_s=129_600.0,
        canary_interval_s=300.0,
        http=(HttpCheck(80, "/x", 204), HttpCheck(81)),
        tcp=(TcpCheck(22, "SSH-2.0-"),),
    )


def test_affinity_is_off_unless_a_time_is_given() -> None:
    assert (scanners("port: 3310").affinity_s, scanners("affinity: 10m").affinity_s) == (0, 600)


def test_a_part_of_a_second_of_affinity_is_a_whole_one() -> None:
    assert scanners("affinity: 1500ms").affinity_s == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("100ms", 0.1), ("3s", 3.0), ("10m", 600.0), ("2h", 7200.0), ("7d", 604_800.0)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    assert duration("50ms", "400d").read(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "s", "1.5s", "-1s", "10 s", "1w", "49ms", "401d", "9999999999s", "\uff11s"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Wrong) as caught:
        duration("50ms", "400d").read(text)
    assert "10m" in caught.value.remedy
