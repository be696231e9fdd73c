"""What the lab decides without touching anything: runs anywhere, as anybody."""

import ipaddress
import os
import subprocess
from pathlib import Path

import pytest

from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from lab import processes, state, topology_check
from lab.demo.cases import CASES
from lab.demo.verdicts import complaints
from lab.errors import LabError
from lab.frames import Segment
from lab.lab import Lab, _last_words
from lab.mail import Told, final_reply
from lab.messages import EICAR, Content, build
from lab.network import SYSTEM_PYTHON, Host, Network, Port, Switch, topology_file
from lab.paths import REPOSITORY, LabPaths
from lab.processes import Process
from lab.state import Record, Stage
from lab.trace_logs import Found, client_in

_DEMO = REPOSITORY / "policies" / "demo.yaml"
_PLACES = {
    1: ("bbr", "02:bb:00:00:00:01"),
    2: ("acme-gw", "02:aa:00:00:00:01"),
    3: ("globex-gw", "02:aa:00:00:00:02"),
    4: ("proxy1", "02:cc:00:00:00:01"),
    5: ("proxy2", "02:cc:00:00:00:02"),
    6: ("scanner1", "02:dd:00:00:00:01"),
    7: ("scanner2", "02:dd:00:00:00:02"),
    8: ("responder1", "02:ff:00:00:00:01"),
    9: ("decoy1", "02:ee:00:00:00:01"),
    10: ("av1", "02:ab:00:00:00:01"),
    11: ("av2", "02:ab:00:00:00:02"),
}


def _policy() -> Policy:
    return parse_policy(_DEMO.read_text(encoding="utf-8"), "demo.yaml")


def _network(places: dict[int, tuple[str, str]], dpid: int = 1) -> Network:
    hosts = tuple(
        Host(name, 1, "gateway", "", (), (Port(f"{name}-eth0", mac, "s1", f"s1-eth{number}"),))
        for number, (name, mac) in places.items()
    )
    return Network((Switch("s1", dpid, {number: f"s1-eth{number}" for number in places}),), hosts)


def test_the_demos_policy_and_topology_agree() -> None:
    assert topology_check.disagreements(_policy(), _network(_PLACES)) == []


def test_a_wrong_mac_is_told_with_both_sides() -> None:
    wrong = {**_PLACES, 4: ("proxy1", "02:cc:00:00:00:77")}
    (said,) = topology_check.disagreements(_policy(), _network(wrong))
    assert "proxy1" in said
    assert "02:cc:00:00:00:01" in said
    assert "02:cc:00:00:00:77" in said


def test_swapped_ports_are_told_for_both_hosts() -> None:
    swapped = {**_PLACES, 4: _PLACES[5], 5: _PLACES[4]}
    said = topology_check.disagreements(_policy(), _network(swapped))
    assert [text.partition(":")[0] for text in said] == ["proxy1", "proxy2"]


def test_a_host_that_is_missing_is_told() -> None:
    missing = {number: place for number, place in _PLACES.items() if number != 1}
    (said,) = topology_check.disagreements(_policy(), _network(missing))
    assert "s1:1" in said


def test_another_dpid_is_told() -> None:
    (said,) = topology_check.disagreements(_policy(), _network(_PLACES, dpid=9))
    assert "dpid 1 in the policy, 9 here" in said


_REFUSED_AT_RCPT = """\
<-  220 mx.acme.example ESMTP Postfix
 -> EHLO sender.example
<-  250-edge
<-  250 8BITMIME
 -> RCPT TO:<nobody@acme.example>
<** 550 5.1.1 <nobody@acme.example>: Recipient address rejected
 -> QUIT
<-  221 2.0.0 Bye
"""
_TAKEN = """\
<~  220 mx.acme.example ESMTP Postfix
 ~> DATA
<~  354 End data with <CR><LF>.<CR><LF>
 ~> Subject: 550 is what this line says
 ~> .
<~  250-2.0.0 Ok: queued as A1
<~  250 and a second line
 ~> QUIT
<~  221 2.0.0 Bye
"""


def test_the_final_reply_is_the_refusal_that_ended_it() -> None:
    assert final_reply(_REFUSED_AT_RCPT) == "550 5.1.1 <nobody@acme.example>: Recipient address rejected"


def test_the_final_reply_is_the_one_to_the_message_with_all_its_lines() -> None:
    assert final_reply(_TAKEN) == "250-2.0.0 Ok: queued as A1\n250 and a second line"


def test_no_connection_is_no_reply() -> None:
    assert Told(final_reply("*** Error connecting to 203.0.113.10:25"), "").code == 0


_CASE = CASES[0]
_GOOD = Found(
    events=(("proxy2", {"event": "SessionOpened", "session": "a"}),),
    scans=(("scanner1", "instream(192.0.2.12@40000): OK"),),
    server_saw=_CASE.client,
    is_delivered=True,
)


def _found(**changes: object) -> Found:
    facts = {name: getattr(_GOOD, name) for name in Found.__slots__}
    return Found(**{**facts, **changes})


def test_a_message_that_went_as_it_should_draws_no_complaint() -> None:
    assert complaints(_CASE, Told("250 2.0.0 Ok: queued as A1", ""), _GOOD) == []


@pytest.mark.parametrize(
    ("reply", "found", "complaint"),
    [
        ("451 4.7.1 later", _GOOD, "expected reply 250"),
        ("250 thanks", _GOOD, "expected 'queued as'"),
        ("250 queued as A1", _found(is_delivered=False), "did not deliver"),
        ("250 queued as A1", _found(server_saw="192.0.2.11"), "saw client 192.0.2.11"),
        ("250 queued as A1", _found(scans=()), "was not scanned"),
        ("250 queued as A1", _found(events=()), "no gateway did"),
    ],
)
def test_whatever_is_otherwise_draws_a_complaint(reply: str, found: Found, complaint: str) -> None:
    (said,) = complaints(_CASE, Told(reply, ""), found)
    assert complaint in said


def test_malware_that_was_delivered_draws_a_complaint() -> None:
    case = next(case for case in CASES if case.content is Content.EICAR)
    found = _found(server_saw=case.client)
    assert f"{case.mail_host} delivered it" in complaints(case, Told("550 5.7.1 no", ""), found)


def test_a_client_that_leaves_is_an_earlier_messages() -> None:
    lines = (
        "mx postfix/smtpd[7]: disconnect from unknown[2001:db8:bb::10] ehlo=1 quit=1",
        "mx postfix/smtpd[8]: connect from unknown[198.51.100.10]",
    )
    assert client_in(lines) == "198.51.100.10"


def test_a_segments_checksums_are_right() -> None:
    """The Internet checksum over data that holds its own checksum is zero (RFC 1071)."""
    frame = Segment("02:00:00:00:00:01", "02:00:00:00:00:02", "192.0.2.1", "198.51.100.7", 1025).to_frame()
    header, segment = frame[14:34], frame[34:]
    pseudo = header[12:20] + bytes([0, 6]) + len(segment).to_bytes(2)
    assert _ones_sum(header) == 0xFFFF
    assert _ones_sum(pseudo + segment) == 0xFFFF


def test_an_ipv6_segments_checksum_is_right() -> None:
    frame = Segment("02:00:00:00:00:01", "02:00:00:00:00:02", "2001:db8::1", "2001:db8::2", 1025).to_frame()
    segment = frame[54:]
    pseudo = frame[22:54] + len(segment).to_bytes(4) + (6).to_bytes(4)
    assert ipaddress.ip_address(frame[22:38]) == ipaddress.ip_address("2001:db8::1")
    assert _ones_sum(pseudo + segment) == 0xFFFF


def _ones_sum(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0")) for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = Record("mark", "demo", "p.yaml", "127.0.0.1:6653", Stage.UP, Process(1, 2)).with_process(
        "controller", Process(3, 4)
    )
    state.save(written, tmp_path / "lab.json")
    assert state.load(tmp_path / "lab.json") == written
    assert written.with_process("controller", None).processes == {}


@pytest.mark.parametrize(
    "text",
    [
        '{"owner": "x", ',
        "[]",
        '{"owner": "x"}',
        '{"owner": "x", "topology": "demo", "policy": "p", "controller": "c", "stage": "half up", '
        '"attendant": null, "network": null, "processes": {}}',
        '{"owner": "x", "topology": "demo", "policy": "p", "controller": "c", "stage": "up", '
        '"attendant": null, "network": null, "processes": {}, "colour": "blue"}',
    ],
    ids=["torn", "no record", "too little", "a stage of another version", "more than we know"],
)
def test_a_record_that_cannot_be_read_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.json").write_text(text, encoding="utf-8")
    assert state.load(tmp_path / "lab.json") is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (subprocess.CalledProcessError(1, "openssl", stderr=b"no space\n"), "\nno space"),
        (subprocess.TimeoutExpired("postern-av", 60, output=b"loading"), "\nloading"),
        (OSError(28, "No space left on device"), ""),
    ],
)
def test_what_a_program_said_before_it_failed_is_shown(error: Exception, said: str) -> None:
    assert _last_words(error) == said


def test_a_process_id_that_was_used_again_is_not_our_process() -> None:
    mine = processes.identify(os.getpid())
    assert mine.is_alive
    assert not Process(mine.pid, mine.started - 1).is_alive


def test_an_empty_mark_belongs_to_no_process() -> None:
    assert processes.carrying("") == set()


def test_an_unknown_topology_is_refused_with_those_there_are() -> None:
    with pytest.raises(LabError, match=r"topologies: demo leafspine minimal ring$"):
        topology_file("dmeo")
    with pytest.raises(LabError, match=r"there is no topology 'dmeo'"):
        Lab().up("dmeo", REPOSITORY / "policies" / "dmeo.yaml")


@pytest.mark.programs
def test_a_topology_that_cannot_be_loaded_is_one_line_with_the_mistake(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken(:\n", encoding="utf-8")
    owner = [SYSTEM_PYTHON, str(REPOSITORY / "lab" / "network_owner.py")]
    done = subprocess.run(
        [*owner, str(tmp_path / "mine.py"), "mine", str(tmp_path / "network.json"), "-"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert f"{tmp_path}/mine.py cannot be loaded: SyntaxError: invalid syntax" in line


@pytest.mark.parametrize(
    ("root", "why"),
    [
        ("/proc/lab", "the lab cannot use /proc/lab: "),
        (f"/tmp/{'x' * 60}", "is longer than 60 bytes"),
        ("PRIVATE/lab", "the lab's servers may not enter "),
    ],
)
def test_a_lab_that_cannot_stand_where_it_is_told_to_is_one_sentence(
    root: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.lab._need_root", lambda: None)
    monkeypatch.setattr("lab.lab._LONGEST_ROOT_BYTES", 60 if "xxx" in root else 1_000)
    tmp_path.chmod(0o700)
    with pytest.raises(LabError, match=why) as caught:
        Lab(LabPaths(Path(root.replace("PRIVATE", str(tmp_path))))).up("demo", _DEMO)
    assert "; remedy: set POSTERN_LAB_DIR" in str(caught.value)


def test_the_lab_stands_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTERN_LAB_DIR", "/somewhere/lab")
    assert LabPaths.from_environment().record == Path("/somewhere/lab/lab.json")
    assert LabPaths.from_environment().lock == Path("/somewhere/lab.lock")


def test_each_message_has_an_id_of_its_own_and_carries_what_it_says() -> None:
    one, other = (build(Content.EICAR, "a@sender.example", "alice@acme.example") for _ in range(2))
    assert one.message_id != other.message_id
    assert one.message_id.encode() in one.data
    assert len(EICAR) == 68
