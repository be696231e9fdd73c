"""Two looks to a list of tells: what an attacker could see, and nothing that changes at one server anyway."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fingerprint.compare import compare
from services.fingerprint.scanner import NmapFailed, parse_findings
from services.fingerprint.snapshot import PortSeen, Snapshot, SnapshotError, parse_snapshot

MAIL = PortSeen("open", "smtp", {"greeting": "220 mx ESMTP Postfix", "EHLO": "250-mx\n250 SIZE 10"})


def look(seen: PortSeen, client: str = "198.51.100.10") -> Snapshot:
    return Snapshot("203.0.113.10", client, "2026-01-01T00:00:00Z", {25: seen})


def tells(real: PortSeen, decoy: PortSeen) -> list[str]:
    return list(map(str, compare(look(real), look(decoy)).tells))


def with_facts(**facts: str) -> PortSeen:
    return replace(MAIL, facts={**MAIL.facts, **facts})


def test_the_same_look_twice_has_no_tell_and_counts_what_was_compared() -> None:
    found = compare(look(MAIL), look(MAIL))
    assert (found.tells, found.known, found.compared) == ((), (), 3)


def test_a_word_that_differs_is_told_with_its_line() -> None:
    decoy = with_facts(EHLO="250-mx\n250 SIZE 11")
    assert tells(MAIL, decoy) == ['25 EHLO: real line 2 "250 SIZE 10", decoy line 2 "250 SIZE 11"']


def test_an_open_port_that_is_shut_at_the_decoy_is_a_tell() -> None:
    assert tells(MAIL, PortSeen("reset")) == ["25 port: real open, decoy reset"]


def test_what_only_one_of_them_says_is_a_tell() -> None:
    assert tells(MAIL, with_facts(HELP="214 help")) == ['25 HELP: real (nothing), decoy "214 help"']


def test_what_nmap_says_of_them_is_compared_too() -> None:
    nmap = [replace(MAIL, nmap={"service": f"name=smtp; product={each}"}) for each in ("Postfix", "Exim")]
    assert tells(*nmap)[0].startswith("25 nmap service: ")


def test_a_port_that_nobody_looked_at_is_a_tell() -> None:
    found = compare(look(MAIL), Snapshot("203.0.113.10", "", "", {}))
    assert list(map(str, found.tells)) == ["25 was not examined: real open, decoy (nothing)"]


@pytest.mark.parametrize(
    ("real", "decoy"),
    [
        ("220 mx Tue, 24 Nov 2026 00:00:00 +0000", "220 mx Wed, 25 Nov 2026 11:22:33 GMT"),
        ("+OK ready <17.1700000000@mx>", "+OK ready <99.1800000000@mx>"),
        ("a OK done (0.001 + 0.000 secs).", "a OK done (0.017 + 0.003 + 0.002 secs)."),
    ],
)
def test_what_differs_at_one_server_each_time_is_no_tell(real: str, decoy: str) -> None:
    assert tells(with_facts(greeting=real), with_facts(greeting=decoy)) == []


def test_servers_that_repeat_who_asks_are_compared_as_if_one_had_asked() -> None:
    greeted = [with_facts(EHLO=f"250 mx Hello {client}") for client in ("198.51.100.10", "198.51.100.66")]
    assert not compare(look(greeted[0]), look(greeted[1], "198.51.100.66")).tells


def test_kernel_keys_and_time_are_known_differences_and_no_tells() -> None:
    real = replace(MAIL, kernel="ttl 64", tls={"certificate fingerprint": "aa"}, took_s={"QUIT": 0.1})
    decoy = replace(MAIL, kernel="ttl 128", tls={"certificate fingerprint": "bb"}, took_s={"QUIT": 1.1})
    found = compare(look(real), look(decoy))
    assert found.tells == ()
    assert [tell.what.split(" (")[0] for tell in found.known] == [
        "certificate fingerprint",
        "kernel",
        "time of QUIT",
    ]


def test_somebody_elses_text_cannot_reach_a_terminal() -> None:
    (told,) = tells(MAIL, with_facts(EHLO="250 \x1b]0;owned\x07\u202e"))
    assert told.isascii()
    assert told.isprintable()


@given(st.text(max_size=50), st.text(max_size=50))
def test_two_texts_are_the_same_both_ways_round(real: str, decoy: str) -> None:
    there = compare(look(with_facts(EHLO=real)), look(with_facts(EHLO=decoy)))
    back = compare(look(with_facts(EHLO=decoy)), look(with_facts(EHLO=real)))
    assert bool(there.tells) == bool(back.tells)


def test_a_look_survives_its_file() -> None:
    whole = look(replace(MAIL, nmap={"service": "x"}, kernel="k", took_s={"EHLO": 0.25}))
    assert parse_snapshot(whole.to_json(), "x") == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"postern-look": 2}',
        '{"postern-look": 1}',
        '{"postern-look": 1, "address": 1, "client": "", "at": "", "ports": {}}',
        '{"postern-look": 1, "address": "", "client": "", "at": "", "ports": {"x": {}}}',
        '{"postern-look": 1, "address": "", "client": "", "at": "", "ports": {"25": {"facts": {"a": 1}}}}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_look_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(SnapshotError, match=r"real\.json: "):
        parse_snapshot(text, "real.json")


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_no_file_makes_reading_a_look_fall_over(value: object) -> None:
    top = {"postern-look": 1, "address": "", "client": "", "at": "", "ports": value}
    with suppress(SnapshotError):
        parse_snapshot(json.dumps(top), "x")


def test_what_nmap_writes_is_read_and_rubbish_is_refused() -> None:
    xml = (
        b'<nmaprun><host><ports><port protocol="tcp" portid="25"><state state="open" reason="syn-ack"/>'
        b'<service name="smtp" product="Postfix smtpd" hostname=" mx.acme.example"><cpe>cpe:/a:postfix</cpe>'
        b"</service></port></ports></host></nmaprun>"
    )
    finding = parse_findings(xml)[25]
    assert finding.state == "open (syn-ack)"
    assert finding.service.startswith("name=smtp; product=Postfix smtpd")
    with pytest.raises(NmapFailed, match="cannot be read"):
        parse_findings(b"<nmaprun><host>")
