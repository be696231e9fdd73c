"""Two releases of controller and hosts meet: what either of them wrote is read, or refused by name."""

import json
from dataclasses import MISSING, fields

import pytest

from common.wire.codec import RecordError, Versioned, from_media, load, to_media
from common.wire.hosts import SETTINGS_BY_ROLE
from common.wire.settings import HostSettings
from tests.wire.records import KIND_BY_FILE, golden

every_record = pytest.mark.parametrize(("file", "kind"), KIND_BY_FILE.items(), ids=KIND_BY_FILE)


def _defaults() -> list[tuple[str, str, object]]:
    """Return each field that has a default, of each record: file, name, default."""
    found: list[tuple[str, str, object]] = []
    for file, kind in KIND_BY_FILE.items():
        for field in fields(kind):
            if field.default is not MISSING:
                found.append((file, field.name, field.default))
            elif field.default_factory is not MISSING:
                found.append((file, field.name, field.default_factory()))
    return found


@every_record
def test_what_the_first_release_wrote_is_read(file: str, kind: type[Versioned]) -> None:
    loaded = load(kind, json.dumps(golden(file)))
    assert loaded.unknown_keys == ()


@every_record
def test_what_the_first_release_wrote_is_written_again_with_the_same_values(
    file: str, kind: type[Versioned]
) -> None:
    before, now = golden(file), to_media(from_media(kind, golden(file)))
    assert from_media(kind, json.loads(json.dumps(now))) == from_media(kind, before)
    assert {key: now[key] for key in before if not isinstance(before[key], list)} == {
        key: value for key, value in before.items() if not isinstance(value, list)
    }


@every_record
def test_a_key_of_a_newer_release_is_ignored_and_named(file: str, kind: type[Versioned]) -> None:
    loaded = load(kind, json.dumps({**golden(file), "shadow_mode": {"since": 7}}))
    assert loaded.record == from_media(kind, golden(file))
    assert loaded.unknown_keys == ("shadow_mode",)


def test_a_key_of_a_newer_release_deep_inside_is_named_with_its_path() -> None:
    media = golden("mail_proxy")
    media["tenants"][0]["scan"][1]["attachment"] = True
    media["tenants"][0]["tls"]["minimum"] = "1.3"
    loaded = load(KIND_BY_FILE["mail_proxy"], json.dumps(media))
    assert set(loaded.unknown_keys) == {"tenants[0].scan[1].attachment", "tenants[0].tls.minimum"}


@every_record
@pytest.mark.parametrize(
    ("found", "remedy"),
    [(2, "upgrade the program that reads this"), (0, "upgrade the program that writes this")],
)
def test_another_format_is_refused_with_both_versions_and_the_program_to_upgrade(
    file: str, kind: type[Versioned], found: int, remedy: str
) -> None:
    with pytest.raises(RecordError) as caught:
        from_media(kind, {**golden(file), "format": found})
    assert str(caught.value) == f"format: is {found}, this program reads 1"
    assert caught.value.remedy == remedy


@pytest.mark.parametrize("found", [None, "1", True, 1.0, [1]])
def test_a_format_that_is_not_a_whole_number_is_refused(found: object) -> None:
    with pytest.raises(RecordError, match="format: a whole number is expected"):
        from_media(KIND_BY_FILE["decoy"], {**golden("decoy"), "format": found})


@pytest.mark.parametrize(("file", "name", "default"), _defaults())
def test_a_missing_key_takes_its_default(file: str, name: str, default: object) -> None:
    media, kind = golden(file), KIND_BY_FILE[file]
    media.pop(name, None)
    assert getattr(from_media(kind, media), name) == default


@every_record
def test_every_missing_key_without_a_default_is_named_at_once(file: str, kind: type[Versioned]) -> None:
    required = [
        each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING
    ]
    with pytest.raises(RecordError) as caught:
        from_media(kind, {})
    assert sorted(str(caught.value).split("; ")) == sorted(f"{name}: is missing" for name in required)


def test_the_settings_of_every_kind_of_host_are_known_by_its_role() -> None:
    settings = {kind for kind in KIND_BY_FILE.values() if issubclass(kind, HostSettings)}
    assert set(SETTINGS_BY_ROLE.values()) == settings == set(HostSettings.__subclasses__())
    for role, kind in SETTINGS_BY_ROLE.items():
        files = [file for file, of in KIND_BY_FILE.items() if of is kind and golden(file)["role"] == role]
        assert files, role
