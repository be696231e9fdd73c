"""A good policy becomes the model, whatever the order of its keys."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from controller.policy.model import ClientTls, Disposition, MailMode, Policy, PortRef, ScanAction
from controller.policy.parse import parse_policy, read_policy

POLICIES = Path(__file__).parents[2] / "policies"
DEMO = POLICIES / "demo.yaml"


@pytest.fixture(scope="module")
def demo() -> Policy:
    return read_policy(DEMO)


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_policy_that_we_ship_is_good(file: Path) -> None:
    assert read_policy(file).tenants


def test_values_become_typed(demo: Policy) -> None:
    acme, globex = demo.tenants
    assert acme.prefixes == (ip_network("203.0.113.0/26"), ip_network("2001:db8:a::/48"))
    assert acme.gateways[0].at == PortRef("s1", 2)
    assert acme.mail is not None and globex.mail is not None
    assert (acme.mail.mode, globex.mail.mode) == (MailMode.PROXY, MailMode.DIRECT)
    assert acme.mail.servers == (ip_address("203.0.113.10"), ip_address("2001:db8:a::10"))
    assert [rule.action for rule in acme.mail.scan] == [ScanAction.SKIP, ScanAction.SCAN]


def test_what_is_left_out_has_its_default(demo: Policy) -> None:
    globex = demo.tenants[1].mail
    assert globex is not None
    assert globex.on_verdict.infected is Disposition.REJECT
    assert globex.on_verdict.unavailable is Disposition.TEMPFAIL
    assert globex.tls.clients is ClientTls.OFFER
    assert globex.message_limit_bytes == 25 * 1024 * 1024
    scanners = next(pool for pool in demo.pools if pool.name == "scanners")
    assert scanners.port == 3310
    assert [member.weight for member in scanners.members] == [1, 1]
    assert demo.switches[0].mac == "02:50:00:00:00:01"


def test_the_model_cannot_be_changed(demo: Policy) -> None:
    with pytest.raises(AttributeError):
        demo.tenants[0].name = "evil"  # type: ignore[misc]


def _shuffled(data: Any, draw: Any) -> Any:
    if isinstance(data, dict):
        return {key: _shuffled(data[key], draw) for key in draw(st.permutations(list(data)))}
    if isinstance(data, list):
        return [_shuffled(item, draw) for item in data]
    return data


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=15, deadline=None)
def test_the_order_of_keys_means_nothing(data: st.DataObject) -> None:
    plain = yaml.safe_load(DEMO.read_text())
    text = yaml.safe_dump(_shuffled(plain, data.draw), sort_keys=False)
    straight = parse_policy(yaml.safe_dump(plain, sort_keys=False), "p.yaml")
    shuffled = parse_policy(text, "p.yaml")
    assert _by_name(shuffled) == _by_name(straight)


def _by_name(policy: Policy) -> tuple[Any, ...]:
    """Return what the policy says; where a line stands is not part of it."""
    return (
        {switch.name: switch for switch in policy.switches},
        {uplink.name: uplink for uplink in policy.uplinks},
        {tenant.name: (tenant.prefixes, tenant.mail, set(tenant.services)) for tenant in policy.tenants},
        {pool.name: (pool.kind, pool.vip, set(pool.members)) for pool in policy.pools},
    )
