"""What was learned goes into a file that somebody has edited: his work stays, or nothing is written."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from services.fingerprint.learn import LearnedHost
from services.fingerprint.merge import CannotMerge, differences_of_host, merge
from services.fingerprint.protocols.interface import Lesson
from services.fingerprint.render import file_text
from services.personas.parse import parse_persona

HEAD = "postern-persona: 1\ntenant: acme\n"
EDITED = """\
# Our own words.
postern-persona: 1
tenant: acme

hosts:
  mx:   # the mail server
    addresses: [203.0.113.10]
    services:
      25:
        protocol: smtp
        name: old.acme.example
        domains: [acme.example]        # ours
        recipients: [alice@acme.example]
      80: {protocol: http, status: 403}   # never learned

  # Everything else.
  dark:
    addresses: dark
"""


def learned(host: str = "mx", port: int = 25, name: str = "mx.acme.example") -> LearnedHost:
    lesson = Lesson(
        {"protocol": "smtp", "name": name, "recipients": ["postmaster@acme.example"]}, ["a remark"]
    )
    return LearnedHost(host, (ip_address("203.0.113.10"),), services={port: lesson})


def test_a_new_file_is_one_that_decoys_take_and_people_can_review() -> None:
    text = file_text("acme", learned(), "Learned from 203.0.113.10 today.")
    (host,) = parse_persona(text, "acme.yaml").hosts
    assert host.services[25].speech.name == "mx.acme.example"  # type: ignore[union-attr]
    assert "# Learned from 203.0.113.10 today." in text
    assert "# a remark" in text


def test_a_service_is_learned_anew_and_all_else_stays_as_it_was_written() -> None:
    text = merge(EDITED, "acme.yaml", learned(), "Learned today.")
    for line in ("# Our own words.", "  mx:   # the mail server", "  # Everything else."):
        assert line in text
    assert "80: {protocol: http, status: 403}   # never learned" in text
    assert "mx.acme.example" in text
    assert "old.acme.example" not in text


def test_what_cannot_be_seen_from_outside_stays_what_a_person_made_of_it() -> None:
    speech = parse_persona(merge(EDITED, "x", learned(), "s"), "x").hosts[0].services[25].speech
    assert speech.recipients == {"alice@acme.example"} or "alice@acme.example" in str(speech.recipients)  # type: ignore[union-attr]
    assert "acme.example" in str(speech.domains)  # type: ignore[union-attr]


def test_a_new_service_and_a_new_host_find_their_places() -> None:
    text = merge(EDITED, "x", learned(port=587), "s")
    other = replace_addresses(learned("relay"), "203.0.113.11")
    hosts = {host.name: host for host in parse_persona(merge(text, "x", other, "s"), "x").hosts}
    assert sorted(hosts["mx"].services) == [25, 80, 587]
    assert sorted(hosts["relay"].services) == [25]


def replace_addresses(host: LearnedHost, address: str) -> LearnedHost:
    return replace(host, addresses=(ip_address(address),))


def test_learning_twice_changes_nothing_the_second_time() -> None:
    once = merge(EDITED, "x", learned(), "Learned.")
    assert merge(once, "x", learned(), "Learned.") == once


def test_a_host_that_has_changed_is_told_not_edited() -> None:
    before = parse_persona(EDITED, "x")
    host = replace_addresses(learned(), "203.0.113.99")
    host.shut = (80,)
    told = differences_of_host(before, host)
    assert any("addresses is ['203.0.113.10'] in the file" in each for each in told)
    assert any("services.80 is in the file" in each for each in told)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}hosts: {{mx: {{addresses: [203.0.113.10], services: {{}}}}}}\n",
        f"{HEAD}hosts:\n  mx: {{addresses: [203.0.113.10], services: {{25: {{protocol: smtp, name: a}}}}}}\n",
    ],
    ids=["hosts in braces", "a host in braces"],
)
def test_a_file_in_braces_is_left_alone_with_a_remedy(text: str) -> None:
    with pytest.raises(CannotMerge, match="braces; remedy: write it as a block"):
        merge(text, "acme.yaml", learned(), "s")
