"""What the witness concludes from what a session has observed, and what a session lets it observe."""

from ipaddress import IPv4Address, ip_address

import pytest

from services.base.clamd import Verdict, VerdictKind
from services.base.evidence import Evidence
from services.mail.evidence import MANY_RECIPIENTS, Origin, Witness
from services.mail.relay.outcome import ContentFlaw, RejectedByContent
from services.mail.relay.ports import Observation, RecipientRefused, Violation
from tests.mail.playbook.sender import reach
from tests.mail.playbook.stage import ServerScript, Stage

INFECTED = Verdict(VerdictKind.INFECTED, "Some.Signature", "s")


def seen(client: str = "198.51.100.66") -> Origin:
    return Origin("5f000000000a", "acme", ip_address(client), IPv4Address("203.0.113.10"), 25)


def observe(witness: Witness, *observations: Observation, client: str = "198.51.100.66") -> list[Evidence]:
    found = [witness.observe(each, seen(client), 0.0) for each in observations]
    return [each for each in found if each is not None]


def refuse(
    witness: Witness, times: int, client: str = "198.51.100.66", code: int = 550, now: float = 0.0
) -> list[Evidence]:
    found = [witness.observe(RecipientRefused(code), seen(client), now) for _ in range(times)]
    return [each for each in found if each is not None]


@pytest.mark.parametrize("code", [550, 551, 553])
def test_many_refused_recipients_are_a_dictionary_attack(code: int) -> None:
    assert refuse(Witness(), MANY_RECIPIENTS, code=code) == [
        Evidence(
            kind="mail-dictionary",
            source="198.51.100.66",
            destination="203.0.113.10",
            port=25,
            transport="tcp",
            detail="10 recipients refused",
            tenant="acme",
            trace="00005f000000000a",
        )
    ]


def test_a_few_refused_recipients_are_nothing() -> None:
    assert refuse(Witness(), MANY_RECIPIENTS - 1) == []


@pytest.mark.parametrize("code", [421, 450, 452, 552, 554])
def test_a_refusal_that_does_not_say_no_such_recipient_is_nothing(code: int) -> None:
    assert refuse(Witness(), 100, code=code) == []


def test_refusals_far_apart_are_not_added_up() -> None:
    witness = Witness()
    assert refuse(witness, MANY_RECIPIENTS - 1) == []
    assert refuse(witness, MANY_RECIPIENTS - 1, now=601.0) == []


def test_addresses_of_one_ipv6_neighbourhood_are_added_up() -> None:
    witness = Witness()
    found = [refuse(witness, 1, f"2001:db8:bad::{n:x}") for n in range(1, MANY_RECIPIENTS + 1)]
    assert [len(each) for each in found] == [0] * (MANY_RECIPIENTS - 1) + [1]


def test_a_host_of_sources_is_not_remembered_for_ever() -> None:
    witness = Witness()
    for number in range(20_000):
        refuse(witness, 1, str(IPv4Address("198.18.0.0") + number))
    assert len(witness._tries) == 10_000


@pytest.mark.parametrize("kind", VerdictKind)
def test_of_all_verdicts_only_malware_is_evidence(kind: VerdictKind) -> None:
    found = observe(Witness(), Verdict(kind, "Some.Signature", "s"))
    expected = [("mail-malware", "Some.Signature")] if kind is VerdictKind.INFECTED else []
    assert [(each.kind, each.detail) for each in found] == expected


@pytest.mark.parametrize("flaw", ContentFlaw)
def test_of_all_flaws_only_bare_newlines_are_evidence(flaw: ContentFlaw) -> None:
    found = observe(Witness(), RejectedByContent(flaw))
    assert [each.kind for each in found] == (
        ["mail-protocol-abuse"] if flaw is ContentFlaw.BARE_NEWLINES else []
    )


def test_a_violation_is_evidence_with_its_reason() -> None:
    (found,) = observe(Witness(), Violation("sent data before the greeting"))
    assert (found.kind, found.detail) == ("mail-protocol-abuse", "sent data before the greeting")


# what a session lets it observe


def test_a_session_without_fault_lets_the_witness_observe_nothing_but_verdicts() -> None:
    stage = reach(7, Stage(scan=[]))
    assert stage.journal.observations == [Verdict(VerdictKind.CLEAN)]


def test_a_message_with_malware_is_observed() -> None:
    stage = reach(5, Stage(verdict=INFECTED, scan=[]))
    stage.ask(b"Subject: s\r\n\r\nx\r\n.")
    assert stage.journal.observations == [INFECTED]


def test_a_message_with_bare_newlines_is_observed() -> None:
    stage = reach(5)
    stage.ask(b"a\nb\r\n.")
    assert stage.journal.observations == [RejectedByContent(ContentFlaw.BARE_NEWLINES)]


@pytest.mark.parametrize("reply", [b"550 5.1.1 no such user\r\n", b"450-4.7.1\r\n450 greylisted\r\n"])
def test_a_refused_recipient_is_observed_with_the_servers_code(reply: bytes) -> None:
    stage = reach(2, Stage(ServerScript({"RCPT": reply})))
    stage.ask(b"RCPT TO:<nobody@acme.example>")
    assert stage.journal.observations == [RecipientRefused(int(reply[:3]))]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"BDAT 5 LAST", "BDAT was not offered"),
        (b"NO\0OP", "NUL inside a line"),
        (b"MAIL FROM:<a\x01@b.example>", "control character in a command"),
    ],
)
def test_a_violation_of_the_protocol_is_observed(sent: bytes, reason: str) -> None:
    stage = reach(1)
    stage.ask(sent)
    assert stage.journal.observations == [Violation(reason)]
