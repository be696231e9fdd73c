"""Settings files of pools: whole or not at all, and secrets for their owner alone."""

import json
from pathlib import Path

from common.wire.decoy import DecoySettings
from common.wire.responder import ResponderSettings
from controller.hosts.publish import Publisher


def settings(revision: int) -> ResponderSettings:
    return ResponderSettings(revision=revision, role="responder", pool="p")


def test_a_file_with_a_secret_is_its_owners_only(tmp_path: Path) -> None:
    Publisher(tmp_path)({"decoys": DecoySettings(secret="07" * 32, since=1), "responders": settings(1)})
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes["decoys.json"] == 0o600
    assert modes["responders.json"] & 0o044


def test_a_pool_that_is_removed_loses_its_file(tmp_path: Path) -> None:
    publish = Publisher(tmp_path)
    publish({"a": settings(1), "b": settings(1)})
    publish({"b": settings(2)})
    assert [file.name for file in tmp_path.iterdir()] == ["b.json"]
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))["revision"] == 2


def test_what_a_killed_controller_left_half_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.draft").write_text('{"revi', encoding="utf-8")
    Publisher(tmp_path)({"a": settings(1)})
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
