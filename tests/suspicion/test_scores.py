"""Evidence becomes a score, which decays; a score that is too high becomes a decision."""

from ipaddress import ip_address, ip_network

import pytest

from controller.policy.model import Action, Level, OpenSessions, Protocol, Suspicion
from controller.suspicion import scores as scores_module
from controller.suspicion.scores import Evidence, Scores

ATTACKER = ip_address("198.51.100.66")
SOURCE = ip_network("198.51.100.66")


def fact(kind: str, source: str = "198.51.100.66", **more: object) -> Evidence:
    return Evidence(kind, ip_address(source), **more)  # type: ignore[arg-type]


def test_a_score_halves_in_its_half_life() -> None:
    scores = Scores(Suspicion(half_life_s=600))
    scores.on_evidence(0.0, [fact("ids-alert")])
    assert scores.score_at(600.0, SOURCE) == (10.0, 0.0)


def test_connections_to_three_doors_of_decoys_are_enough_for_a_first_decision() -> None:
    scores = Scores()
    assert not scores.on_evidence(0.0, [fact("decoy-connection", port=port) for port in (22, 23)])
    (found,) = scores.on_evidence(0.0, [fact("decoy-connection", port=80, detail="port 80")])
    assert (found.level, found.request.action, found.request.duration_s) == ("suspect", Action.DECOY, 3600.0)
    assert found.request.scope.source == SOURCE
    assert "decoy-connection (port 80)" in found.request.reason


def test_whoever_mistakes_one_port_may_try_it_as_often_as_he_likes() -> None:
    knocks = [fact("decoy-connection", destination="203.0.113.10", port=443)] * 500
    assert not Scores().on_evidence(0.0, knocks)


def test_a_log_in_and_a_file_make_a_source_hostile_and_cut_its_sessions() -> None:
    scores = Scores()
    scores.on_evidence(0.0, [fact("decoy-login")])
    (found,) = scores.on_evidence(1.0, [fact("decoy-upload")])
    assert found.level == "hostile"
    assert found.request.sessions is OpenSessions.CUT


def test_forged_packets_never_earn_a_decision_however_many_they_are() -> None:
    scores = Scores()
    assert (
        scores.on_evidence(0.0, [fact(kind, count=1_000) for kind in ("dark-packet", "scan", "flood")]) == []
    )
    proven, unproven = scores.score_at(0.0, SOURCE)
    assert proven == 0
    assert unproven > 1_000


def test_while_a_decision_holds_more_of_the_same_changes_nothing() -> None:
    scores = Scores()
    assert scores.on_evidence(0.0, [fact("decoy-login")])
    assert not scores.on_evidence(1.0, [fact("mail-protocol-abuse")])


def test_a_repeat_offender_is_decided_about_for_longer_each_time_up_to_a_limit() -> None:
    policy = Suspicion(suspect=Level(30, Action.DECOY, 100.0), repeat=3, longest_s=500.0, half_life_s=10.0)
    scores, durations = Scores(policy), []
    for number in range(4):
        (found,) = scores.on_evidence(number * 10_000.0, [fact("decoy-login")])
        durations.append(found.request.duration_s)
    assert durations == [100.0, 300.0, 500.0, 500.0]


def test_addresses_of_one_ipv6_site_are_one_source() -> None:
    scores = Scores()
    scores.on_evidence(0.0, [fact("ids-alert", "2001:db8:bad::1")])
    (found,) = scores.on_evidence(0.0, [fact("ids-alert", "2001:db8:bad::2")])
    assert found.request.scope.source == ip_network("2001:db8:bad::/64")


def test_weights_are_the_policys() -> None:
    scores = Scores(Suspicion(weights={"decoy-login": 0, "auth-failure": 40}))
    assert not scores.on_evidence(0.0, [fact("decoy-login")])
    assert scores.on_evidence(0.0, [fact("auth-failure")])


def test_simulated_decisions_are_marked() -> None:
    (found,) = Scores(Suspicion(is_simulated=True)).on_evidence(0.0, [fact("decoy-login")])
    assert found.request.is_simulated


def test_sources_without_end_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scores_module.MOST_SOURCES == 100_000
    monkeypatch.setattr(scores_module, "MOST_SOURCES", 1_000)
    scores = Scores()
    scores.on_evidence(0.0, [Evidence("dark-packet", ip_address(0x0B00_0000 + n)) for n in range(1_500)])
    assert len(scores.by_source) == 1_000


def test_only_the_latest_evidence_is_kept() -> None:
    scores = Scores()
    scores.on_evidence(0.0, [fact("dark-packet", port=n) for n in range(100)])
    assert [each.port for _, each in scores.by_source[SOURCE].lines] == list(range(80, 100))


def test_three_doors_within_some_minutes_are_as_bad_as_at_once() -> None:
    scores = Scores()
    found = [scores.on_evidence(60.0 * n, [fact("decoy-connection", port=20 + n)]) for n in range(3)]
    assert [len(each) for each in found] == [0, 0, 1]


def test_an_alert_about_a_datagram_proves_nobodys_address() -> None:
    scores = Scores()
    assert not scores.on_evidence(0.0, [fact("ids-alert", count=100, protocol=Protocol.UDP)])
    assert scores.on_evidence(0.0, [fact("ids-alert", count=2, protocol=Protocol.TCP)])
