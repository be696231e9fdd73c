"""Records as JSON: nothing is converted by guess, and every mistake is named by its path."""

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from common.wire.codec import RecordError, from_media, load
from common.wire.decoy import DecoySettings
from common.wire.evidence import ReportedEvidence
from common.wire.health import AgentSettings, HealthReport
from common.wire.mail import MailSettings
from common.wire.signatures import SignatureReport
from tests.examples import examples
from tests.wire.records import KIND_BY_FILE, golden


def mistakes_in(file: str, **changes: Any) -> str:
    with pytest.raises(RecordError) as caught:
        from_media(KIND_BY_FILE[file], {**golden(file), **changes})
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"pool": 7}, "pool: a string is expected"),
        ({"port": "25"}, "port: a whole number is expected"),
        ({"port": True}, "port: a whole number is expected"),
        ({"port": 0}, "port: 0 is outside 1..65535"),
        ({"transparent": 1}, "transparent: true or false is expected"),
        ({"role": "king"}, "role: unknown value 'king'; allowed: proxy, scanner"),
        ({"tenants": {}}, "tenants: a list is expected"),
        ({"tenants": [7]}, "tenants[0]: an object is expected"),
        ({"limits": ["g1"]}, "limits: an object is expected"),
        ({"limits": {"g1": 0}}, "limits['g1']: 0 is outside 1..1000000"),
        ({"trusted_sources_refused": "192.0.2.1"}, "trusted_sources_refused: a list is expected"),
        ({"trusted_sources_refused": [7]}, "trusted_sources_refused[0]: a string is expected"),
    ],
)
def test_a_mistake_is_named_by_its_key(changes: dict[str, Any], mistake: str) -> None:
    assert mistakes_in("mail_proxy", **changes) == mistake


def test_all_mistakes_are_named_at_once() -> None:
    found = mistakes_in("responder", port=0, tenants=[{"name": "a", "servers": ["nowhere"]}])
    assert found.split("; ") == [
        "port: 0 is outside 1..65535",
        "tenants[0].servers[0]: 'nowhere' does not appear to be an IPv4 or IPv6 address",
        "tenants[0].answer: is missing",
    ]


def test_of_very_many_mistakes_the_first_ones_are_shown() -> None:
    found = mistakes_in("decoy", tenants=[7] * 500)
    assert found.endswith("tenants[9]: an object is expected; and 490 more")


def test_two_tenants_cannot_have_one_server() -> None:
    tenants = [{"name": name, "servers": ["203.0.113.10"]} for name in ("a", "b")]
    assert mistakes_in("mail_proxy", tenants=tenants) == "tenants: a and b both have 203.0.113.10; keep one"


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"secret": "07"}, "secret: is not 32 bytes in hex"),
        ({"since": 0}, "since: 0 is outside 1..1099511627775"),
        ({"tenants": [{"name": "../x"}]}, "tenants[0].name: '../x' is not a name of letters"),
        ({"tenants": [{"name": "..."}]}, "tenants[0].name: '...' is not a name of letters"),
        ({"tenants": [{"name": "a"}] * 2}, "tenants: a name occurs twice"),
        ({"tenants": [{"name": "a"}] * 10_001}, "tenants: more than 10000 items"),
    ],
)
def test_a_decoy_never_takes_what_could_lead_out_of_its_directory(
    changes: dict[str, Any], mistake: str
) -> None:
    assert mistakes_in("decoy", **changes).startswith(mistake)


def test_records_of_a_union_are_told_apart_by_their_kind() -> None:
    found = mistakes_in("health_agent_services", checks=[{"kind": "dns"}, {"port": 25}, 7])
    assert found.split("; ")[0] == "checks[0]: unknown value 'dns'"
    assert "checks[1]: unknown value None" in found
    assert "checks[2]: an object is expected" in found


def test_a_time_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(RecordError, match=r"interval_s: nan is outside 0\.05\.\.600"):
        load(AgentSettings, '{"checks": [], "interval_s": NaN}')


@pytest.mark.parametrize("text", ["", "{", "\xff", "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match="not JSON"):
        load(MailSettings, text)


@pytest.mark.parametrize("text", ["[]", "null", "7", '"x"'])
def test_what_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match="an object is expected"):
        load(MailSettings, text)


def test_texts_for_people_are_cut_and_printable() -> None:
    report = from_media(HealthReport, {"good": False, "detail": "\x1b[31m" + "x" * 1_000})
    assert (len(report.detail), report.detail[:5]) == (200, "?[31m")


@pytest.mark.parametrize("client", ["", "a\nb", "x" * 201, 7, None])
def test_a_report_without_a_client_to_keep_it_under_is_refused(client: object) -> None:
    with pytest.raises(RecordError, match="client"):
        from_media(SignatureReport, {"client": client})


@pytest.mark.parametrize("count", [0, 1_001, 1.5, "1"])
def test_evidence_counts_between_one_and_a_thousand(count: object) -> None:
    with pytest.raises(RecordError, match="count"):
        from_media(ReportedEvidence, {"kind": "scan", "source": "198.51.100.1", "count": count})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["format", "pool", "tenants", "name", "checks", "kind", "port", "secret"]), inner
        )
    ),
    max_leaves=10,
)


@hypothesis.given(st.sampled_from(sorted(KIND_BY_FILE)), _JSON, st.text(max_size=12), _JSON)
@examples(200)
def test_any_json_is_a_record_or_refused(file: str, media: Any, key: str, value: Any) -> None:
    for tried in (media, {**golden(file), key: value}):
        try:
            record = load(KIND_BY_FILE[file], json.dumps(tried)).record
        except RecordError:
            continue
        assert isinstance(record, KIND_BY_FILE[file])


@pytest.mark.parametrize("changes", [{"secret": "5e" * 31}, {"since": "yesterday", "secret": "5e" * 32}])
def test_a_secret_is_in_no_message(changes: dict[str, Any]) -> None:
    assert "5e5e" not in mistakes_in("decoy", **changes)


def test_a_secret_is_not_shown_with_the_rest_of_its_record() -> None:
    media = golden("decoy")
    assert media["secret"] not in repr(from_media(DecoySettings, media))
