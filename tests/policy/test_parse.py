"""A good policy becomes the model, whatever the order of its keys."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from common.config.errors import ConfigErrors
from controller.policy.model import ClientTls, Disposition, MailMode, Policy, PortRef, ScanAction, ScanRule
from controller.policy.parse import parse_policy, read_policy
from tests.examples import examples

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


def test_links_are_the_same_from_either_end() -> None:
    switches = (
        (POLICIES / "minimal.yaml")
        .read_text(encoding="utf-8")
        .replace("{dpid: 1}", "{dpid: 1}\n  s2: {dpid: 2}")
    )
    policies = [
        parse_policy(switches + f"links: [{links}]\n", "p.yaml")
        for links in (
            "{a: s1:8, b: s2:8}, {a: s1:9, b: s2:9}",
            "{a: s2:9, b: s1:9}, {a: s2:8, b: s1:8}",
        )
    ]
    assert policies[0] == policies[1]
    first, second = policies[0].links
    assert (first.a, first.b) == (PortRef("s1", 8), PortRef("s2", 8))
    assert policies[0].places[f"links.{second.a}-{second.b}"].line == policies[0].places["links.2"].line


def test_conditions_of_a_scan_rule_become_typed() -> None:
    rule = "{if: {sender: ['*@News.example'], larger_than: 10 MiB, tls: false}, then: skip}"
    demo = DEMO.read_text(encoding="utf-8").replace("- {then: scan}", f"- {rule}\n        - {{then: scan}}")
    mail = parse_policy(demo, "p.yaml").tenants[0].mail
    assert mail is not None
    assert mail.scan[1] == ScanRule(
        ScanAction.SKIP, sender=("*@news.example",), larger_than_bytes=10 * 1024 * 1024, tls=False
    )


def test_a_bad_certificate_is_not_also_called_missing() -> None:
    tls = "tls: {certificate: acme.pem, key: /etc/acme.key}"
    with pytest.raises(ConfigErrors) as caught:
        parse_policy(
            DEMO.read_text(encoding="utf-8").replace("tls: {clients: offer, server: may}", tls), "p.yaml"
        )
    assert [error.key for error in caught.value.errors] == ["tenants.acme.mail.tls.certificate"]


def test_a_member_without_a_limit_has_its_pools() -> None:
    text = DEMO.read_text(encoding="utf-8").replace(
        "    kind: mail-proxy\n", "    kind: mail-proxy\n    limit: 50\n"
    )
    pools = parse_policy(text.replace("proxy2: {at: s1:5,", "proxy2: {limit: 7, at: s1:5,"), "p.yaml").pools
    limits = {member.name: member.limit for pool in pools for member in pool.members}
    assert {name: limit for name, limit in limits.items() if limit} == {"proxy1": 50, "proxy2": 7}


def _shuffled(data: Any, draw: Any) -> Any:
    if isinstance(data, dict):
        return {key: _shuffled(data[key], draw) for key in draw(st.permutations(list(data)))}
    if isinstance(data, list):
        return [_shuffled(item, draw) for item in data]
    return data


@hypothesis.given(st.data())
@examples(15)
def test_the_order_of_keys_means_nothing(data: st.DataObject) -> None:
    plain = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    text = yaml.safe_dump(_shuffled(plain, data.draw), sort_keys=False)
    straight = parse_policy(yaml.safe_dump(plain, sort_keys=False), "p.yaml")
    shuffled = parse_policy(text, "p.yaml")
    assert shuffled == straight == read_policy(DEMO)
