"""Manifests and rings from anybody: read as they are meant, or refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.wire.antivirus import Ring
from common.wire.generations import GenerationFile, Manifest, RingTarget
from services.antivirus.formats import Malformed, encode, parse_manifest, parse_ring

MARKER = "POSTERN-ANTIVIRUS-GENERATION-00000012-0123456789abcdef"
FILE = GenerationFile("postern.hsb", 3, "a" * 64, "postern")
MANIFEST = Manifest(12, 11, "2026-01-01T00:00:00Z", "why", MARKER, (FILE,))
RING = RingTarget(Ring.ALL, 57, 12, "b" * 64, "2026-01-01T00:00:00Z")
GOLDEN = Path(__file__).parents[1] / "wire" / "golden"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_what_is_written_is_read() -> None:
    assert parse_manifest(encode(MANIFEST)) == MANIFEST
    assert parse_ring(encode(RING)) == RING


def test_what_the_first_release_signed_is_written_byte_for_byte() -> None:
    for parse, name in ((parse_manifest, "generation_manifest"), (parse_ring, "ring_target")):
        signed = (GOLDEN / f"{name}.json").read_bytes()
        assert encode(parse(signed)) == signed


def test_a_newer_release_may_add_keys() -> None:
    newer = {**json.loads(encode(MANIFEST)), "compressed": True}
    assert parse_manifest(json.dumps(newer).encode()) == MANIFEST


@pytest.mark.parametrize("number", [2, 0, "1", True, 1.0, None])
def test_another_format_is_refused(number: object) -> None:
    for parse, document in ((parse_manifest, MANIFEST), (parse_ring, RING)):
        changed = {**json.loads(encode(document)), "format": number}
        with pytest.raises(Malformed, match=r"json: format: .*; remedy: "):
            parse(json.dumps(changed).encode())


def manifest_mistake(**changes: Any) -> str:
    document = {**json.loads(encode(MANIFEST)), **changes}
    with pytest.raises(Malformed) as caught:
        parse_manifest(json.dumps(document).encode())
    return str(caught.value)


def file_mistake(**changes: Any) -> str:
    (file,) = json.loads(encode(MANIFEST))["files"]
    return manifest_mistake(files=[{**file, **changes}])


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"generation": 0}, "generation: 0 is outside 1..99999999"),
        ({"generation": 100_000_000}, "generation: 100000000 is outside 1..99999999"),
        ({"generation": True}, "generation: a whole number is expected"),
        ({"generation": 12.0}, "generation: a whole number is expected"),
        ({"previous": -1}, "previous: -1 is outside 0..99999999"),
        ({"created": "a" * 501}, "created: is longer than 500 characters"),
        ({"why": "a\x1b[2J"}, "why: has characters that cannot be printed"),
        ({"why": None}, "why: a string is expected"),
        ({"marker": MARKER.lower()}, f"marker: {MARKER.lower()!r} is not a marker"),
        ({"marker": MARKER + "\n"}, "marker: 'POSTERN-"),
        ({"files": []}, "files: is empty"),
        ({"files": {}}, "files: a list is expected"),
        ({"files": [7]}, "files[0]: an object is expected"),
        ({"files": json.loads(encode(MANIFEST))["files"] * 2}, "files: a name occurs twice"),
        ({"files": json.loads(encode(MANIFEST))["files"] * 401}, "files: more than 400 items"),
    ],
)
def test_a_wrong_value_of_a_manifest_is_named(changes: dict[str, Any], mistake: str) -> None:
    assert manifest_mistake(**changes).startswith(f"manifest.json: {mistake}")


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"bytes": -1}, "bytes: -1 is outside 0..4294967296"),
        ({"bytes": 2**32 + 1}, "bytes: 4294967297 is outside 0..4294967296"),
        ({"bytes": "3"}, "bytes: a whole number is expected"),
        ({"sha256": "A" * 64}, "sha256: "),
        ({"sha256": "a" * 63}, "sha256: "),
        ({"sha256": "a" * 64 + "\n"}, "sha256: "),
        ({"signed_by": "nobody"}, "signed_by: unknown value 'nobody'; allowed: postern, clamav"),
        ({"signed_by": None}, "signed_by: unknown value None; allowed: postern, clamav"),
    ],
)
def test_a_wrong_value_of_a_file_is_named(changes: dict[str, Any], mistake: str) -> None:
    assert file_mistake(**changes).startswith(f"manifest.json: files[0].{mistake}")


@pytest.mark.parametrize("key", ["name", "bytes", "sha256", "signed_by"])
def test_a_file_without_a_key_is_refused(key: str) -> None:
    file = {name: value for name, value in json.loads(encode(MANIFEST))["files"][0].items() if name != key}
    assert manifest_mistake(files=[file]).startswith(f"manifest.json: files[0].{key}: is missing")


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"ring": "both"}, "ring: unknown value 'both'; allowed: canary, all"),
        ({"ring": ["all"]}, "ring: unknown value ['all']; allowed: canary, all"),
        ({"serial": 0}, "serial: 0 is outside 1..99999999"),
        ({"generation": 100_000_000}, "generation: 100000000 is outside 1..99999999"),
        ({"manifest_sha256": "b" * 65}, "manifest_sha256: "),
        ({"changed": "\x00"}, "changed: has characters that cannot be printed"),
    ],
)
def test_a_wrong_value_of_a_ring_is_named(changes: dict[str, Any], mistake: str) -> None:
    document = {**json.loads(encode(RING)), **changes}
    with pytest.raises(Malformed) as caught:
        parse_ring(json.dumps(document).encode())
    assert str(caught.value).startswith(f"ring.json: {mistake}")


@pytest.mark.parametrize(
    "name", ["../evil", "a/b", "", ".hidden", "manifest.json", "ring.json.minisig", "a" * 200, "a\nb", "ä"]
)
def test_a_file_may_have_a_plain_name_only(name: str) -> None:
    document = json.loads(encode(MANIFEST))
    document["files"][0]["name"] = name
    with pytest.raises(Malformed):
        parse_manifest(json.dumps(document).encode())


@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_rubbish_is_refused(data: bytes) -> None:
    for parse in (parse_manifest, parse_ring):
        with pytest.raises(Malformed):
            parse(data)


@given(st.sampled_from(sorted(json.loads(encode(MANIFEST)))), _JSON)
def test_a_manifest_with_one_wrong_value_is_refused_or_harmless(key: str, value: object) -> None:
    document = {**json.loads(encode(MANIFEST)), key: value}
    try:
        parse_manifest(json.dumps(document).encode())
    except Malformed as error:
        assert str(error)


def test_a_document_of_megabytes_is_not_read() -> None:
    with pytest.raises(Malformed, match="larger than"):
        parse_ring(b" " * 1_000_000)
