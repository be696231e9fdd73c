"""What the controller has an agent look at: both sides mean the same by it."""

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from common.wire.codec import RecordError, from_media, to_media
from common.wire.health import AgentSettings, ClamdCheck, HttpCheck, ScannerCheck, SmtpCheck, TcpCheck
from controller.hosts.health_agents import settings_for
from controller.policy.parse import parse_policy
from tests.examples import examples
from tests.world import DEMO

GOOD = {"interval_s": 0.3, "timeout_s": 0.6, "checks": [{"kind": "smtp", "port": 25}], "scanner": None}


def settings_of(pool: str, text: str = DEMO) -> AgentSettings:
    """Return what the agents of a pool understand of a policy."""
    policy = parse_policy(text, "p.yaml")
    (found,) = [each for each in policy.pools if each.name == pool]
    return parse_settings(json.loads(json.dumps(to_media(settings_for(policy, found)))))


def parse_settings(media: object) -> AgentSettings:
    return from_media(AgentSettings, media)


def test_a_proxy_is_looked_at_as_a_gateway() -> None:
    assert settings_of("proxies") == AgentSettings(interval_s=0.3, timeout_s=0.8, checks=(SmtpCheck(25),))


def test_a_scanner_that_takes_mail_itself_is_looked_at_as_both() -> None:
    found = settings_of("scanners")
    assert found.checks == (SmtpCheck(25), ClamdCheck(3310))
    assert found.scanner == ScannerCheck(port=3310, signatures_max_age_s=604_800.0, canary_interval_s=10.0)


def test_a_scanner_that_only_proxies_ask_needs_no_gateway() -> None:
    direct = "      mode: direct\n      scanners: scanners\n"
    through = "      mode: proxy\n      proxies: proxies\n      scanners: scanners\n"
    assert direct in DEMO
    assert settings_of("scanners", DEMO.replace(direct, through)).checks == (ClamdCheck(3310),)


def test_a_responder_is_looked_at_as_somebody_who_answers_senders() -> None:
    assert settings_of("responders").checks == (SmtpCheck(25),)


def test_a_decoy_is_looked_at_as_the_policy_lists() -> None:
    traps = """
  traps:
    kind: decoy
    health: {interval: 2s, timeout: 1s, silence: 10s, http: [{port: 80, path: /x, status: 404}],
             tcp: [{port: 22, banner: SSH-2.0-}, {port: 23}]}
    edge: [192.0.3.1]
    members: {trap1: {at: s1:28, mac: 02:ee:00:00:00:91, addresses: [192.0.3.21]}}
"""
    found = settings_of("traps", DEMO + traps)
    assert (found.interval_s, found.timeout_s, found.scanner) == (2.0, 1.0, None)
    assert found.checks == (HttpCheck(80, "/x", 404), TcpCheck(22, "SSH-2.0-"), TcpCheck(23, ""))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"interval_s": 0}, "interval_s"),
        ({"interval_s": "often"}, "interval_s"),
        ({"interval_s": True}, "interval_s"),
        ({"interval_s": float("nan")}, "interval_s"),
        ({"timeout_s": None}, "timeout_s"),
        ({"checks": None}, "checks"),
        ({"checks": [7]}, r"checks\[0\]"),
        ({"checks": [{"kind": "smtp", "port": 25}] * 51}, "checks"),
        ({"checks": [{"kind": "dns", "port": 53}]}, "unknown value 'dns'; allowed: smtp"),
        ({"checks": [{"kind": "smtp", "port": 0}]}, "port"),
        ({"checks": [{"kind": "http", "port": 80, "path": "/\r\nX: y", "status": 200}]}, "path"),
        ({"checks": [{"kind": "tcp", "port": 22, "banner": "é"}]}, "banner"),
        ({"scanner": []}, "scanner"),
        ({"scanner": {"port": 3310, "signatures_max_age_s": -1, "canary_interval_s": 1}}, "signatures"),
    ],
)
def test_what_is_no_setting_is_named(change: dict[str, Any], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        parse_settings({**GOOD, **change})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "kind", "port"]), inner)
    ),
    max_leaves=10,
)


@hypothesis.given(_JSON)
@examples(100)
def test_any_answer_is_settings_or_an_error(answer: Any) -> None:
    try:
        parse_settings(answer)
    except RecordError:
        return
