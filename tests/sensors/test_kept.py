"""Copies of feeds on disk: what the first release kept is used, and what cannot be trusted is not."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from services.sensors.feeds.kept import FeedCopy, Keeper

COPY = FeedCopy("https://feed.example", 1.7e9, '"e1"', "", {ip_network("192.0.2.0/26"): "SBL1"})
STORED = {
    "format": 1,
    "source": "https://feed.example",
    "fetched_at": 1.7e9,
    "etag": '"e1"',
    "last_modified": "",
    "entries": [["192.0.2.0/26", "SBL1"]],
}


def test_a_copy_is_kept_in_the_form_of_the_first_release(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    keeper.save("bad", COPY)
    assert keeper.path("bad").read_bytes() == json.dumps(STORED).encode()
    assert keeper.load("bad") == COPY


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": 2}, "format: is 2, this program reads 1"),
        ({"fetched_at": "today"}, "fetched_at: a number is expected"),
        ({"etag": None}, "etag: a string is expected"),
        ({"entries": {}}, "entries: a list is expected"),
        ({"entries": [["192.0.2.1"]]}, "not enough values"),
        ({"entries": [[3_221_225_985, ""]]}, r"entries\[0\]\[0\]: a string is expected"),
        ({"entries": [["192.0.2.1/33", ""]]}, "'192.0.2.1/33' is not a valid prefix"),
    ],
)
def test_a_copy_with_a_wrong_value_is_not_used(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    keeper = Keeper(tmp_path)
    keeper.path("bad").write_text(json.dumps({**STORED, **changes}), encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        keeper.load("bad")
