"""An edit that moves a tenant's home is told; any other is not."""

from controller.policy.parse import parse_policy
from controller.topology.homes import moved_homes
from tests.world import POLICIES

RING = (POLICIES / "ring.yaml").read_text(encoding="utf-8")


def said(edited: str) -> list[str]:
    return moved_homes(parse_policy(RING, "ring.yaml"), parse_policy(edited, "edited.yaml"))


def test_another_home_is_told_with_a_remedy() -> None:
    (text,) = said(RING.replace("home: s1", "home: s3"))
    assert text.startswith(
        "the home of acme moves from s1 to s3, so its open sessions end; remedy: write `home: s1`"
    )


def test_a_gateway_that_moves_takes_the_home_with_it_unless_the_policy_names_one() -> None:
    assert len(said(RING.replace("at: s4:2", "at: s2:5"))) == 1
    assert said(RING.replace("at: s1:2", "at: s2:5")) == []


def test_a_tenant_that_comes_or_goes_moves_no_home() -> None:
    without = RING[: RING.index("  globex:")] + RING[RING.index("pools:") :]
    assert said(without) == []
    assert moved_homes(parse_policy(without, "p"), parse_policy(RING, "p")) == []
