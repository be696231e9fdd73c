"""Reports of hosts that run another release: newer keys are ignored, another format is refused by name."""

from typing import Any

import pytest

from tests.api.conftest import Northbound
from tests.wire.records import golden

OTHER_FORMAT = "format: is 2, this program reads 1"
REPORTS = [
    ("/v1/members/proxy1/health", "health_report"),
    ("/v1/antivirus/reports", "antivirus_server_report"),
]


@pytest.mark.parametrize(("path", "file"), REPORTS)
def test_a_report_of_a_newer_host_is_taken_without_the_keys_that_are_unknown(
    api: Northbound, path: str, file: str
) -> None:
    answer = api.http.simulate_post(path, json={**golden(file), "load": [0.1, 0.2]})
    assert answer.status_code == 200


@pytest.mark.parametrize(("path", "file"), REPORTS)
def test_a_report_of_another_format_is_refused_with_both_versions_and_the_remedy(
    api: Northbound, path: str, file: str
) -> None:
    answer = api.http.simulate_post(path, json={**golden(file), "format": 2})
    assert answer.status_code == 400
    assert answer.json["description"] == f"{OTHER_FORMAT}; remedy: upgrade the program that reads this"


def test_of_several_facts_only_those_of_another_format_are_refused(api: Northbound) -> None:
    newer: dict[str, Any] = {**golden("evidence"), "country": "XX"}
    body = {"evidence": [newer, {**newer, "format": 2}]}
    answer = api.http.simulate_post("/v1/evidence", json=body).json
    assert answer["accepted"] == 1
    assert answer["refused"] == [
        {"index": 1, "error": OTHER_FORMAT, "remedy": "upgrade the program that reads this"}
    ]


def test_clients_that_another_release_kept_are_forgotten_until_they_report_again(api: Northbound) -> None:
    antivirus, store = api.world.core.antivirus, api.world.store
    report = golden("antivirus_server_report")["reports"][0]
    rows = [("acme/old", {**report, "client": "old"}), ("acme/new", {**report, "format": 2})]
    store.put_antivirus_clients([(key, facts, "av1", "2026-01-01T00:00:00Z") for key, facts in rows])
    antivirus.load(0.0, api.world.utc)
    assert [client.key for client in antivirus.fleet.clients] == ["acme/old"]
