"""Settings, lists and guards: the pure parts of the sensors."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config.errors import ConfigErrors
from services.sensors.feeds.guards import FeedAccepted, FeedRefusal, judge
from services.sensors.feeds.lists import Contents, parse_feed
from services.sensors.grammar import Format
from services.sensors.settings import Guards, Shape, parse_settings

GUARDS = Guards(may_be_empty=False, shrink_share=0.5, unreadable_share=0.1, most_entries=1_000)
PLAIN = Shape(Format.LIST, "1", ",", False, "cidr")
FEED = "postern-sensors: 1\nfeeds:\n  bad:\n    source: /list\n"


def values(body: bytes, shape: Shape = PLAIN) -> list[str]:
    return [str(network) for network in parse_feed(body, shape).note_by_network]


def verdict(body: bytes, before: int | None = None) -> FeedAccepted | FeedRefusal:
    return judge(parse_feed(body, PLAIN), before, GUARDS, (ip_network("203.0.113.0/26"),))


def test_a_plain_list_may_have_comments_of_both_kinds() -> None:
    body = (
        b"\xef\xbb\xbf# list\r\n; more\r\n192.0.2.1 ; SBL1\r\n\r\n2001:db8::/48 # six\r\n::ffff:192.0.2.9\n"
    )
    assert values(body) == ["192.0.2.1/32", "2001:db8::/48", "192.0.2.9/32"]
    assert parse_feed(body, PLAIN).note_by_network[ip_network("192.0.2.1")] == "SBL1"


@pytest.mark.parametrize(("column", "has_header"), [("ip", True), ("2", True), ("2", False)])
def test_a_csv_column_is_found_by_name_or_number(column: str, has_header: bool) -> None:
    body = b'# note\nname,ip\n"a, b",192.0.2.1\nc,"192.0.2.2"\n"open,192.0.2.3\n'
    shape = Shape(Format.CSV, column, ",", has_header, "cidr")
    assert values(body, shape) == ["192.0.2.1/32", "192.0.2.2/32"]


def test_a_list_that_is_a_web_page_is_refused() -> None:
    found = verdict(b"<html>\n<body>Too many requests\n</html>\n192.0.2.1\n")
    assert isinstance(found, FeedRefusal) and "lines cannot be read" in found.why


@pytest.mark.parametrize("entry", [b"0.0.0.0/0", b"::/0", b"8.0.0.0/7", b"2000::/18"])
def test_an_absurd_entry_discredits_its_list(entry: bytes) -> None:
    found = verdict(b"192.0.2.1\n" + entry)
    assert isinstance(found, FeedRefusal) and found.why.startswith("has an entry that is too wide")


def test_private_and_tenants_own_addresses_are_left_out() -> None:
    found = verdict(b"192.0.2.1\n10.0.0.1\n203.0.113.9\n203.0.0.0/16\nfe80::1\n127.0.0.1\n224.0.0.1\n")
    assert isinstance(found, FeedAccepted)
    assert list(map(str, found.note_by_network)) == ["192.0.2.1/32"]
    assert len(found.left_out) == 6


def test_a_drop_list_that_is_cut_short_is_refused() -> None:
    shape = Shape(Format.JSON_LINES, "1", ",", False, "cidr")
    body = b'{"cidr":"192.0.2.1/32"}\n{"type":"metadata","records":3}\n'
    found = judge(parse_feed(body, shape), None, GUARDS, ())
    assert found == FeedRefusal("is truncated: it announces 3 entries, but has 1")


def test_a_list_that_is_too_long_is_refused() -> None:
    found = verdict(b"".join(b"198.18.%d.%d\n" % (n // 256, n % 256) for n in range(1_001)))
    assert found == FeedRefusal("has 1001 entries, more than 1000")


def test_a_list_may_shrink_by_half_and_no_further() -> None:
    body = b"192.0.2.1\n192.0.2.2\n"
    assert isinstance(verdict(body, 4), FeedAccepted)
    assert isinstance(verdict(body, 5), FeedRefusal)


@given(
    st.binary(max_size=300), st.sampled_from(Format), st.booleans(), st.sampled_from(["1", "ip", "0", "²"])
)
def test_any_bytes_are_a_list_or_are_counted(body: bytes, kind: Format, header: bool, column: str) -> None:
    contents = parse_feed(body, Shape(kind, column, ",", header, "cidr"))
    assert isinstance(contents, Contents)
    assert contents.sample.isprintable()


def error_of(text: str) -> str:
    with pytest.raises(ConfigErrors) as error:
        parse_settings(text, "s.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "s.yaml:1:1: sensors: is empty"),
        ("feeds: {}\n", "s.yaml:1:1: postern-sensors: is missing"),
        ("postern-sensors: 2\n", 's.yaml:1:18: postern-sensors: format "2" is not supported'),
        ("postern-sensors: 1\nfeedz: {}\n", "s.yaml:2:1: feedz: unknown key"),
        ("postern-sensors: 1\nfeeds: [\n", "s.yaml:3:1: sensors: not valid YAML"),
        ("postern-sensors: 1\nfeeds: &a {}\n", "s.yaml:2:8: feeds: anchors and aliases are not accepted"),
        ("postern-sensors: !!int 1\n", "s.yaml:1:18: postern-sensors: tags are not accepted"),
        (
            "postern-sensors: 1\nfeeds: {A B: {source: /x}}\n",
            's.yaml:2:9: feeds.A B: "A B" is not a valid name',
        ),
        (FEED + "    action: kill\n", 's.yaml:5:13: feeds.bad.action: "kill" is not a valid value'),
        (FEED + "    refresh: soon\n", '"soon" is not a valid duration (1s to 30d)'),
        (FEED + "    refresh: 1h\n    duration: 1h\n", "feeds.bad.duration: ends before the next refresh"),
        (FEED + "    refresh: 1d\n    duration: 1h\n", "feeds.bad.duration: ends before the next refresh"),
        (FEED + "    shrink_limit: 2\n", 'feeds.bad.shrink_limit: "2" is not a valid percentage'),
        (FEED + "    size_limit: 16M\n", '"16M" is not a valid size (1B to 256MiB); remedy: write 16MiB'),
        (FEED + "    size_limit: 500k\n", '"500k" is not a valid size (1B to 256MiB); remedy: write 500KiB'),
        (FEED + "    confidence: nan\n", '"nan" is not a valid number (0 to 1)'),
        (FEED + "    source: /other\n", "s.yaml:5:5: feeds.bad.source: is a duplicate key"),
        (FEED.replace("/list", "file:///etc/passwd"), "is not a valid source"),
        (FEED.replace("/list", "https://[1/x"), "is not a valid URL"),
        (FEED.replace("/list", "list.txt"), "is not a valid source"),
        ("postern-sensors: 1\ncrowdsec: {}\n", "s.yaml:2:11: crowdsec.key_file: is missing"),
        ("postern-sensors: 1\nsuricata: {a: {file: /eve}}\n", "cannot be found without tenants"),
        ("postern-sensors: 1\ntenants: {}\nsuricata: {a: {file: /e}}\n", "cannot be found without tenants"),
        (
            "postern-sensors: 1\ntenants: /t\nsuricata: {a: {}}\n",
            "suricata.a: has 0 inputs, but needs exactly one",
        ),
        (
            "postern-sensors: 1\ntenants: /t\nsuricata: {a: {file: /eve, stream: /s}}\n",
            "suricata.a: has 2 inputs, but needs exactly one",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_remedy(text: str, said: str) -> None:
    assert said in error_of(text)
    assert "; remedy: " in error_of(text)


def test_all_mistakes_are_named_at_once_in_the_order_of_lines() -> None:
    text = FEED + "    refresh: soon\n    size_limit: 16M\n    acton: drop\nsuricata:\n  a: {}\n"
    keys = [line.split(": ")[1] for line in error_of(text).splitlines()]
    assert keys == ["feeds.bad.refresh", "feeds.bad.size_limit", "feeds.bad.acton", "suricata", "suricata.a"]


def test_tenants_that_are_refused_are_not_called_missing_too() -> None:
    text = "postern-sensors: 1\ntenants: {acme: [203.0.113.1/26]}\nsuricata: {a: {file: /eve}}\n"
    assert "has host bits set" in error_of(text)
    assert len(error_of(text).splitlines()) == 1
