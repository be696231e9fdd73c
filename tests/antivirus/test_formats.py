"""Manifests and rings from anybody: read as they are meant, or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.antivirus.formats import File, Malformed, Manifest, Ring, encode, parse_manifest, parse_ring

MARKER = "POSTERN-ANTIVIRUS-GENERATION-00000012-0123456789abcdef"
MANIFEST = Manifest(12, 11, "2026-01-01T00:00:00Z", "why", MARKER, (File("postern.hsb", 3, "a" * 64),))
RING = Ring("all", 57, 12, "b" * 64, "2026-01-01T00:00:00Z")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_what_is_written_is_read() -> None:
    assert parse_manifest(encode(MANIFEST)) == MANIFEST
    assert parse_ring(encode(RING)) == RING


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
