"""A pool as large as one may be fits into one group of the switch; a larger one is refused in words."""

from pathlib import Path

import pytest

from common.config.errors import ConfigErrors
from controller.compiler.compile import compile_policy
from controller.openflow import messages
from controller.openflow.encode import to_wire
from controller.openflow.messages import GroupCommand
from controller.policy.grammar import MOST_MEMBERS
from controller.policy.parse import parse_policy

DEMO = (Path(__file__).parents[2] / "policies" / "demo.yaml").read_text(encoding="utf-8")
_FIRST = "      proxy1: {at: s1:4, "


def with_more_proxies(count: int, extra: str = "") -> str:
    """Return the demo's policy with so many proxies, each with a weight of its own, more than it has."""
    more = "".join(
        f"      more{n}: {{at: s1:{1_000 + n}, mac: 02:cc:00:00:{1 + n // 256:02x}:{n % 256:02x},"
        f' weight: {1 + n % 100}, addresses: [10.9.{n // 256}.{n % 256}, "2001:db8:e:9::{n:x}"]}}\n'
        for n in range(count)
    )
    return DEMO.replace("kind: mail-proxy\n", f"kind: mail-proxy\n{extra}").replace(_FIRST, more + _FIRST)


@pytest.mark.parametrize("extra", ["", "    affinity: 2m\n"], ids=["spread", "kept"])
def test_the_largest_pool_fits_into_one_message(extra: str) -> None:
    policy = parse_policy(with_more_proxies(MOST_MEMBERS - 2, extra), "many.yaml")
    wire = to_wire(compile_policy(policy)["s1"])
    sizes = [len(messages.put_group(1, GroupCommand.ADD, group)) for group in wire.groups.values()]
    assert 10_000 < max(sizes) < 60_000


def test_one_member_more_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse_policy(with_more_proxies(MOST_MEMBERS - 1), "many.yaml")
    (line,) = str(caught.value).splitlines()
    assert "pools.proxies.members" in line
    assert "has 251 entries; the maximum is 250" in line
