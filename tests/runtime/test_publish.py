"""Settings files of pools: whole or not at all, and secrets for nobody but their owner."""

import json
from pathlib import Path

from controller.hosts.publish import Publisher


def test_a_file_with_a_secret_is_its_owners_only(tmp_path: Path) -> None:
    Publisher(tmp_path)({"decoys": {"secret": "s"}, "proxies": {}})
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes["decoys.json"] == 0o600
    assert modes["proxies.json"] & 0o044


def test_a_pool_that_is_no_more_loses_its_file(tmp_path: Path) -> None:
    publish = Publisher(tmp_path)
    publish({"a": {"revision": 1}, "b": {"revision": 1}})
    publish({"b": {"revision": 2}})
    assert [file.name for file in tmp_path.iterdir()] == ["b.json"]
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == {"revision": 2}


def test_what_a_killed_controller_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "a.draft").write_text('{"revi', encoding="utf-8")
    Publisher(tmp_path)({"a": {"revision": 1}})
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
