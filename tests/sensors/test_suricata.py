"""Suricata's alerts, to evidence about whoever attacked. Lines are after the EVE format's documentation."""

import json
import os
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.base.evidence import Evidence
from services.sensors.settings import Tenant
from services.sensors.suricata.eve import Skipped, parse_line
from services.sensors.suricata.lines import LineSplitter
from services.sensors.suricata.log_follower import Follower
from tests.sensors.conftest import Program
from tests.sensors.standin import StandIn

pytestmark = pytest.mark.programs

ACME = Tenant("acme", (ip_network("203.0.113.0/26"), ip_network("2001:db8:a::/48")))
OUTSIDE, INSIDE = "198.51.100.66", "203.0.113.10"
Start = Callable[[str], Program]


def owner(address: str) -> Tenant | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return ACME if any(found in prefix for prefix in ACME.prefixes) else None


def alert(**changes: Any) -> dict[str, Any]:
    """A request from outside to a tenant's web server that matched a rule, as Suricata 7 writes it."""
    event: dict[str, Any] = {
        "timestamp": "2026-11-23T22:24:37.251547+0100",
        "flow_id": 586497171462735,
        "in_iface": "eth0",
        "event_type": "alert",
        "src_ip": OUTSIDE,
        "src_port": 50096,
        "dest_ip": INSIDE,
        "dest_port": 80,
        "proto": "TCP",
        "pkt_src": "wire/pcap",
        "tx_id": 4,
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": 2018358,
            "rev": 10,
            "signature": "ET HUNTING GENERIC SUSPICIOUS POST to Dotted Quad with Fake Browser 1",
            "category": "Potentially Bad Traffic",
            "severity": 2,
            "metadata": {"signature_severity": ["Major"]},
        },
        "app_proto": "http",
        "direction": "to_server",
        "flow": {
            "pkts_toserver": 4,
            "pkts_toclient": 3,
            "bytes_toserver": 500,
            "bytes_toclient": 4000,
            "start": "2026-11-23T22:24:37.251000+0100",
            "src_ip": OUTSIDE,
            "dest_ip": INSIDE,
            "src_port": 50096,
            "dest_port": 80,
        },
    }
    return {**event, **changes}


def reply(of: dict[str, Any]) -> dict[str, Any]:
    """The same flow, but the rule fired on the server's answer: the packet's sides are swapped."""
    sides = {"src_ip": of["dest_ip"], "src_port": of["dest_port"], "dest_ip": of["src_ip"]}
    return {**of, **sides, "dest_port": of["src_port"], "direction": "to_client"}


def read(event: dict[str, Any], least_severity: int = 3) -> Evidence | None:
    return parse_line(json.dumps(event).encode(), owner, least_severity)


def why_not(event: dict[str, Any]) -> str:
    with pytest.raises(Skipped) as skipped:
        read(event)
    return str(skipped.value)


def without(event: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in keys}


def outgoing() -> dict[str, Any]:
    """A tenant's user fetched something outside."""
    flow = {"src_ip": INSIDE, "dest_ip": OUTSIDE, "src_port": 40_000, "dest_port": 80}
    return alert(src_ip=INSIDE, src_port=40_000, dest_ip=OUTSIDE, dest_port=80, flow=flow)


def test_a_request_that_matched_accuses_its_sender() -> None:
    assert read(alert()) == Evidence(
        kind="ids-alert",
        source=OUTSIDE,
        destination=INSIDE,
        port=80,
        transport="tcp",
        detail="medium; ET HUNTING GENERIC SUSPICIOUS POST to Dotted Quad with Fake Browser 1; sid 2018358; "
        "Potentially Bad Traffic",
        tenant="acme",
        trace="0002156a83911a4f",
    )


def test_a_reply_that_matched_accuses_the_client_and_not_the_tenants_server() -> None:
    assert read(reply(alert())) == read(alert())


@pytest.mark.parametrize("missing", [("flow",), ("direction",), ("flow", "direction")])
def test_older_suricatas_that_say_less_of_the_flow_accuse_the_same(missing: tuple[str, ...]) -> None:
    assert read(without(alert(), *missing)) == read(without(reply(alert()), *missing)) == read(alert())


def test_a_server_that_a_tenants_user_went_to_is_no_attacker() -> None:
    assert why_not(outgoing()) == "begun by the tenant"
    assert why_not(reply(outgoing())) == "begun by the tenant"


def test_a_server_that_attacks_its_visitors_is_one() -> None:
    event = reply(outgoing())
    event["alert"] = {**event["alert"], "metadata": {"attack_target": ["Client_Endpoint"]}}
    found = read(event)
    assert found is not None
    assert (found.source, found.destination, found.port) == (OUTSIDE, INSIDE, 40_000)


def test_a_rule_that_names_its_target_is_believed() -> None:
    beacon = outgoing()
    beacon["alert"] = {**beacon["alert"], "source": {"ip": OUTSIDE, "port": 80}, "target": {"ip": INSIDE}}
    assert read(beacon) is not None
    aimed_out = alert()
    aimed_out["alert"] = {**aimed_out["alert"], "source": {"ip": INSIDE}, "target": {"ip": OUTSIDE}}
    assert why_not(aimed_out) == "the rule calls the outside the victim"


def test_what_is_all_inside_or_all_outside_accuses_nobody() -> None:
    assert why_not(alert(src_ip="203.0.113.20")) == "inside"
    assert why_not(alert(dest_ip="192.0.2.1")) == "not ours"
    assert why_not(alert(src_ip="nonsense", dest_ip=7)) == "not ours"


def test_ipv6_and_icmp_are_read_too() -> None:
    found = read(
        without(
            alert(src_ip="2001:db8:bad::1", dest_ip="2001:db8:a::10", proto="IPv6-ICMP"),
            *("src_port", "dest_port", "flow"),
        )
    )
    assert found is not None
    assert (found.source, found.transport, found.port) == ("2001:db8:bad::1", "icmp", 0)


def test_alerts_less_severe_than_the_settings_want_are_skipped() -> None:
    with pytest.raises(Skipped, match="not severe enough"):
        read(alert(), least_severity=1)


def test_other_events_are_passed_over() -> None:
    assert read(alert(event_type="flow")) is None
    assert parse_line(b'{"event_type":"stats","stats":{}}', owner, 3) is None


@pytest.mark.parametrize(
    "line", [b"\x00\xff", b'{"alert"', b'"alert"', b'["alert"]', b'{"alert":1,"event_type":"alert"}']
)
def test_garbage_is_called_so(line: bytes) -> None:
    with pytest.raises(Skipped, match="garbage"):
        parse_line(line, owner, 3)


def test_a_signature_cannot_write_into_a_log() -> None:
    event = alert()
    event["alert"] = {**event["alert"], "signature": "a\n\x1b[2J\u202eb" + "x" * 10_000}
    found = read(event)
    assert found is not None
    assert found.detail.isprintable() and found.detail.isascii() and len(found.detail) < 300


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([OUTSIDE, INSIDE, "to_client", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*alert(), "junk"]), JSON))
def test_any_alert_is_evidence_or_skipped(changes: dict[str, Any]) -> None:
    for event in (alert(**changes), reply(alert(**changes)), alert(alert={**alert()["alert"], **changes})):
        try:
            found = read({**event, "event_type": "alert"})
        except Skipped:
            continue
        assert found is None or owner(found.source) is None


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)), st.integers(1, 30))
def test_lines_are_the_same_however_their_bytes_are_split(data: bytes, cuts: list[int], longest: int) -> None:
    whole = LineSplitter(longest)
    expected = whole.feed(data)
    split, begin = LineSplitter(longest), 0
    got = []
    for end in [*sorted(cuts), len(data)]:
        got += split.feed(data[begin:end] if end > begin else b"")
        begin = max(begin, end)
    assert got == expected
    assert split.overlong == whole.overlong


def test_an_endless_line_is_not_kept() -> None:
    splitter = LineSplitter(1000)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
    assert splitter.feed(b"\nnext\n") == [b"next"]
    assert splitter.overlong == 1


def followed(follower: Follower) -> bytes:
    return b"".join(follower.read() for _ in range(4))


def test_a_log_is_followed_over_rotation_and_truncation(home: Path) -> None:
    log = home / "eve.json"
    log.write_bytes(b"old\n")
    follower = Follower(log, home / "position.json")
    assert followed(follower) == b""
    with log.open("ab") as file:
        file.write(b"one\n")
    assert followed(follower) == b"one\n"
    log.rename(home / "eve.json.1")
    with (home / "eve.json.1").open("ab") as file:
        file.write(b"late\n")
    log.write_bytes(b"two\n")
    assert followed(follower) == b"late\ntwo\n"
    log.write_bytes(b"3\n")
    assert followed(follower) == b"3\n"
    follower.close()


def test_a_restart_goes_on_where_the_last_run_ended(home: Path) -> None:
    log, position = home / "eve.json", home / "position.json"
    log.write_bytes(b"old\n")
    first = Follower(log, position)
    first.read()
    first.save()
    first.close()
    with log.open("ab") as file:
        file.write(b"while away\n")
    second = Follower(log, position)
    assert followed(second) == b"while away\n"
    second.save()
    second.close()
    log.rename(home / "eve.json.1")
    log.write_bytes(b"rotated\n")
    third = Follower(log, position)
    assert followed(third) == b"rotated\n"
    third.close()


def test_a_pipe_in_place_of_a_log_does_not_stop_anything(home: Path) -> None:
    os.mkfifo(home / "eve.json")
    with pytest.raises(OSError, match="is not a regular file"):
        Follower(home / "eve.json", home / "position.json").read()


def settings_for(source: str) -> str:
    return f"postern-sensors: 1\ntenants: {{acme: [203.0.113.0/26]}}\nsuricata:\n  main: {{{source}}}\n"


def test_alerts_in_a_log_become_evidence_and_garbage_is_counted(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    log = home / "eve.json"
    program = sensors(settings_for(f"file: {log}"))
    program.wait("SuricataUnreadable")  # not there yet
    log.touch()
    program.wait("SuricataFollowed")
    with log.open("a", encoding="utf-8") as file:
        file.write(f"garbage\n{json.dumps(alert())}\n{json.dumps(reply(alert()))}\n")
    found = controller.wait(lambda request: request.path == "/v1/evidence").media["evidence"][0]
    assert (found["kind"], found["source"], found["count"]) == ("ids-alert", OUTSIDE, 2)
    assert program.end() == 0
    counted = program.wait("SuricataCounted")
    assert (counted["garbage"], counted["alerts"]) == (1, 2)


@pytest.mark.parametrize("kind", ["stream", "datagram"])
def test_alerts_over_a_socket_become_evidence(
    home: Path, controller: StandIn, sensors: Start, kind: str
) -> None:
    path = home / "eve.sock"
    program = sensors(settings_for(f"{kind}: {path}"))
    program.wait("SensorsStarted")
    write_to(path, kind)
    controller.wait(lambda request: request.path == "/v1/evidence")
    program.kill()
    controller.requests.clear()
    program.begin()  # the socket of the killed run is in the way, and is removed
    program.wait("SensorsStarted", 2)
    write_to(path, kind)
    controller.wait(lambda request: request.path == "/v1/evidence")


def write_to(path: Path, kind: str) -> None:
    """Write an alert as Suricata does, as soon as somebody listens."""
    for _ in range(3_000):
        with socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM
        ) as writer:
            try:
                writer.connect(str(path))
            except OSError:
                time.sleep(0.02)
                continue
            writer.sendall(f"{json.dumps(alert())}\n".encode())
            return
    raise AssertionError("nobody listens")


def test_tenants_are_read_from_the_controllers_file_and_again_when_it_changes(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    tenants, log = home / "decoys.json", home / "eve.json"
    log.touch()
    tenants.write_text('{"format": 1, "revision": 1, "tenants": []}', encoding="utf-8")
    program = sensors(f"postern-sensors: 1\ntenants: {tenants}\nsuricata: {{main: {{file: {log}}}}}\n")
    program.wait("TenantsLoaded")
    media = {"format": 1, "revision": 2, "tenants": [{"name": "acme", "prefixes": ["203.0.113.0/26"]}]}
    tenants.write_text(json.dumps(media), encoding="utf-8")
    program.wait("TenantsLoaded", 2)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(alert())}\n")
    assert (
        controller.wait(lambda request: request.path == "/v1/evidence").media["evidence"][0]["tenant"]
        == "acme"
    )
