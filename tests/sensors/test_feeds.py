"""Feeds as an operator meets them: the real program, a web server, and a stand-in of the controller."""

import gzip
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.sensors.conftest import Program, Web
from tests.sensors.standin import StandIn

pytestmark = pytest.mark.programs

Start = Callable[[str], Program]
DROP = b"""\
{"cidr":"192.0.2.0/26","sblid":"SBL256894","rir":"apnic"}
{"cidr":"198.51.100.0/24","sblid":"SBL434604","rir":"apnic"}
{"cidr":"2001:db8:bad::/48","sblid":"SBL434605","rir":"ripencc"}
{"type":"metadata","timestamp":1700000000,"size":200,"records":3,"copyright":"(c)","terms":"none"}
"""


def one_feed(source: object, **keys: object) -> str:
    lines = "".join(f"    {name}: {value}\n" for name, value in keys.items())
    return f"postern-sensors: 1\nfeeds:\n  bad:\n    source: {source}\n{lines}"


def test_a_drop_list_becomes_decisions_that_say_why(web: Web, controller: StandIn, sensors: Start) -> None:
    web.serve("/drop.json", DROP)
    sensors(one_feed(f"{web.url}/drop.json", format="json-lines", refresh="1h", action="decoy"))
    request = controller.wait_for_origin("feed:bad", {"192.0.2.0/26", "198.51.100.0/24", "2001:db8:bad::/48"})
    assert request.media["decisions"][0] == {
        "format": 1,
        "value": "192.0.2.0/26",
        "action": "decoy",
        "duration_s": 3 * 3600,
        "origin": "feed:bad",
        "scenario": "bad",
        "reason": "listed by bad: SBL256894",
        "confidence": 0.9,
        "tenant": "",
        "protocol": "",
        "port": 0,
        "simulated": False,
        "sessions": "keep",
    }


def test_a_changed_file_is_taken_up_at_a_hang_up(home: Path, controller: StandIn, sensors: Start) -> None:
    source = home / "list.txt"
    source.write_text("192.0.2.1 # somebody\n192.0.2.2\n", encoding="utf-8")
    program = sensors(one_feed(source))
    controller.wait_for_origin("feed:bad", {"192.0.2.1", "192.0.2.2"})
    source.write_text("192.0.2.1\n192.0.2.3\n", encoding="utf-8")
    program.hang_up()
    controller.wait_for_origin("feed:bad", {"192.0.2.1", "192.0.2.3"})


def test_an_unchanged_feed_is_not_sent_again_by_its_server(
    web: Web, controller: StandIn, sensors: Start
) -> None:
    web.serve("/list", b"192.0.2.1\n", ETag='"v1"', Last_Modified="Mon, 23 Nov 2026 00:00:00 GMT")
    program = sensors(one_feed(f"{web.url}/list"))
    program.wait("FeedAccepted")
    program.wait("OriginReplaced")
    web.serve("/list", b"", 304)
    program.hang_up()
    program.wait("FeedUnchanged")
    assert web.asked[-1]["if-none-match"] == '"v1"'
    assert web.asked[-1]["if-modified-since"] == "Mon, 23 Nov 2026 00:00:00 GMT"
    program.wait("OriginReplaced", 2)  # its decisions are renewed all the same


def test_an_emptied_feed_leaves_its_last_good_copy_in_force(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    source = home / "list.txt"
    source.write_text("192.0.2.1\n", encoding="utf-8")
    program = sensors(one_feed(source))
    program.wait("FeedAccepted")
    program.wait("OriginReplaced")
    source.write_text("# nothing today\n", encoding="utf-8")
    program.hang_up()
    refused = program.wait("FeedRefused")
    assert refused["reason"] == "is empty"
    assert refused["held"] == 1
    assert refused["held_from"].startswith("20")
    program.wait("OriginReplaced", 2)
    assert {each["value"] for each in controller.requests[-1].media["decisions"]} == {"192.0.2.1"}


def test_a_shrunk_feed_is_taken_once_its_copy_is_removed(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    source = home / "list.txt"
    source.write_text("".join(f"192.0.2.{n}\n" for n in range(1, 11)), encoding="utf-8")
    program = sensors(one_feed(source))
    program.wait("FeedAccepted")
    source.write_text("192.0.2.1\n", encoding="utf-8")
    program.hang_up()
    refused = program.wait("FeedRefused")
    assert refused["reason"] == "shrank from 10 to 1 entries"
    copy = program.state / "feeds" / "bad.json"
    assert str(copy) in refused["remedy"]
    copy.unlink()
    program.hang_up()
    controller.wait_for_origin("feed:bad", {"192.0.2.1"})


def test_after_a_kill_the_last_good_copy_is_in_force_before_the_feed_answers(
    web: Web, home: Path, controller: StandIn, sensors: Start
) -> None:
    web.serve("/list", b"192.0.2.1\n")
    program = sensors(one_feed(f"{web.url}/list"))
    program.wait("OriginReplaced")
    program.kill()
    controller.requests.clear()
    web.serve("/list", b"gone", 500)
    program.begin()
    controller.wait_for_origin("feed:bad", {"192.0.2.1"})
    assert program.wait("FeedUnreachable")["reason"] == "the server answered with status 500"


def test_a_controller_that_was_away_gets_the_newest_list_when_it_is_back(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    controller.end()
    source = home / "list.txt"
    source.write_text("192.0.2.1\n", encoding="utf-8")
    program = sensors(one_feed(source))
    program.wait("ControllerAway")
    source.write_text("192.0.2.2\n", encoding="utf-8")
    program.hang_up()
    program.wait("FeedAccepted", 2)
    controller.begin()
    controller.wait_for_origin("feed:bad", {"192.0.2.2"})
    assert not any("192.0.2.1" in str(request.media) for request in controller.requests)


def test_a_feed_that_leaves_the_settings_takes_its_decisions_along(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    source = home / "list.txt"
    source.write_text("192.0.2.1\n", encoding="utf-8")
    program = sensors(one_feed(source))
    program.wait("OriginReplaced")
    program.write("postern-sensors: 1\n")
    program.hang_up()
    controller.wait_for_origin("feed:bad", set())
    program.wait("FeedForgotten")
    assert not (program.state / "feeds" / "bad.json").exists()


def test_bad_settings_at_a_hang_up_change_nothing(home: Path, controller: StandIn, sensors: Start) -> None:
    source = home / "list.txt"
    source.write_text("192.0.2.1\n", encoding="utf-8")
    program = sensors(one_feed(source))
    program.wait("OriginReplaced")
    program.write("postern-sensors: 1\nfeedz: {}\n")
    program.hang_up()
    assert "feedz: unknown key" in program.wait("SettingsRefused")["reason"]
    program.write(one_feed(source))
    program.hang_up()
    program.wait("OriginReplaced", 2)


def test_a_disk_that_refuses_costs_the_copy_and_not_the_feed(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    source = home / "list.txt"
    source.write_text("192.0.2.1\n", encoding="utf-8")
    in_the_way = home / "state" / "feeds" / "bad.json"
    (in_the_way / "something").mkdir(parents=True)
    program = sensors(one_feed(source))
    controller.wait_for_origin("feed:bad", {"192.0.2.1"})
    assert "directory" in program.wait("FeedNotKept")["reason"]
    assert list(in_the_way.parent.iterdir()) == [in_the_way]


def test_a_feed_of_a_hundred_thousand_is_there_in_seconds(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    source = home / "list.txt"
    source.write_text(
        "".join(f"198.{18 + n // 65_536}.{n // 256 % 256}.{n % 256}\n" for n in range(100_000)),
        encoding="utf-8",
    )
    begun = time.monotonic()
    sensors(one_feed(source))
    request = controller.wait(lambda request: request.method == "PUT", 60.0)
    assert len(request.media["decisions"]) == 100_000
    assert time.monotonic() - begun < 60


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"192.0.2.1\n" * 10_000)


def trickling(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b"#")
        handler.wfile.flush()
        time.sleep(0.1)


def why_unreachable(program: Program) -> str:
    return str(program.wait("FeedUnreachable")["reason"])


def test_a_feed_without_end_is_cut_off(web: Web, sensors: Start) -> None:
    web.pages["/list"] = endless
    assert "larger than 1048576 bytes" in why_unreachable(
        sensors(one_feed(f"{web.url}/list", size_limit="1MiB"))
    )


def test_a_feed_that_trickles_is_given_up(web: Web, sensors: Start) -> None:
    web.pages["/list"] = trickling
    assert "did not finish within 1 s" in why_unreachable(
        sensors(one_feed(f"{web.url}/list", time_limit="1s"))
    )


def test_a_gzip_bomb_is_not_unpacked(web: Web, sensors: Start) -> None:
    web.serve("/list", gzip.compress(bytes(50 * 1024 * 1024)), Content_Encoding="gzip")
    program = sensors(one_feed(f"{web.url}/list", size_limit="1MiB"))
    assert "decompresses to more than 1048576 bytes" in why_unreachable(program)


def test_gzip_is_undone_once_for_the_transfer_and_once_for_the_file(
    web: Web, controller: StandIn, sensors: Start
) -> None:
    packed = gzip.compress(gzip.compress(b"192.0.2.1\n") + gzip.compress(b"192.0.2.2\n"))
    web.serve("/list.gz", packed, Content_Encoding="gzip")
    sensors(one_feed(f"{web.url}/list.gz"))
    controller.wait_for_origin("feed:bad", {"192.0.2.1", "192.0.2.2"})


def test_redirects_in_a_circle_end(web: Web, sensors: Start) -> None:
    web.serve("/list", b"", 302, Location="/list")
    assert "more than 5 redirects" in why_unreachable(sensors(one_feed(f"{web.url}/list")))


def test_a_redirect_to_a_file_is_not_followed(web: Web, sensors: Start) -> None:
    web.serve("/list", b"", 302, Location="file:///etc/passwd")
    assert "which is not a web address" in why_unreachable(sensors(one_feed(f"{web.url}/list")))


def test_a_copy_on_disk_that_is_rubbish_is_said_and_replaced(
    home: Path, controller: StandIn, sensors: Start
) -> None:
    source = home / "list.txt"
    source.write_text("192.0.2.1\n", encoding="utf-8")
    copies = home / "state" / "feeds"
    copies.mkdir(parents=True)
    (copies / "bad.json").write_text('{"format": 1, "entries": [[', encoding="utf-8")
    program = sensors(one_feed(source))
    program.wait("FeedCopyUnusable")
    controller.wait_for_origin("feed:bad", {"192.0.2.1"})
    program.wait("OriginReplaced")
    assert json.loads((copies / "bad.json").read_text(encoding="utf-8"))["entries"] == [["192.0.2.1/32", ""]]
