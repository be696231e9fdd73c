"""A member on a host of its own: what it needs of the API, and nothing of anybody else's."""

from typing import Any

import pytest
from falcon import testing

from tests.api.conftest import Northbound
from tests.api.test_tokens import Bearers

FACT = {"kind": "mail-malware", "source": "198.51.100.66", "destination": "203.0.113.10", "port": 25}


class Host:
    """The host of one member."""

    def __init__(self, api: Northbound, member: str) -> None:
        bearers = Bearers(api)
        self._http = bearers.http
        self._headers = {"Authorization": f"Bearer {bearers.token(member, 'member')}"}

    def get(self, path: str, **headers: str) -> testing.Result:
        return self._http.simulate_get(path, headers={**self._headers, **headers})

    def post(self, path: str, body: Any) -> testing.Result:
        return self._http.simulate_post(path, headers=self._headers, json=body)


@pytest.fixture
def proxy(api: Northbound) -> Host:
    return Host(api, "proxies.proxy1")


def test_a_member_is_told_what_to_look_at_and_says_how_it_is(proxy: Host) -> None:
    path = "/v1/members/proxies.proxy1/health"
    assert proxy.get(path).json["agent"]["checks"] == [{"kind": "smtp", "port": 25}]
    assert proxy.post(path, {"good": True}).json["name"] == "proxy1"


@pytest.mark.parametrize("other", ["proxies.proxy2", "proxy1", "scanners.scanner1"])
def test_a_member_speaks_for_no_other_one_and_under_its_path_only(proxy: Host, other: str) -> None:
    assert proxy.post(f"/v1/members/{other}/health", {"good": False}).status_code == 403
    assert proxy.get(f"/v1/members/{other}/health").status_code == 403


def test_a_member_reads_its_own_pools_settings(proxy: Host) -> None:
    settings = proxy.get("/v1/settings/proxies").json
    assert (settings["role"], settings["revision"]) == ("proxy", 1)
    assert proxy.get("/v1/settings/decoys").status_code == 403


def test_settings_that_are_known_already_are_not_sent_again_until_they_change(
    api: Northbound, proxy: Host
) -> None:
    first = proxy.get("/v1/settings/proxies")
    again = proxy.get("/v1/settings/proxies", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    text = api.world.store.policies[-1].text.replace("203.0.113.10,", "203.0.113.11,")
    assert api.http.simulate_post("/v1/policy", json={"file": "x", "text": text}).status_code == 200
    newer = proxy.get("/v1/settings/proxies", **{"If-None-Match": first.headers["ETag"]})
    assert newer.json["revision"] == 2


def test_what_a_decoy_sees_is_heard_from_a_host_of_its_own(api: Northbound) -> None:
    answer = Host(api, "decoys.decoy1").post("/v1/evidence", {"evidence": [FACT]})
    assert answer.json == {"accepted": 1, "refused": []}


def test_an_antivirus_server_reports_for_itself_only(api: Northbound) -> None:
    host = Host(api, "antivirus.av1")
    assert host.post("/v1/antivirus/reports", {"server": "av1", "reports": []}).status_code == 200
    assert host.post("/v1/antivirus/reports", {"server": "av2", "reports": []}).status_code == 403


@pytest.mark.parametrize("member", ["decoys.decoy1", "scanners.av1", "nowhere.av1"])
def test_who_is_no_antivirus_server_reports_as_none(api: Northbound, member: str) -> None:
    """It could make every client seem stale, by a generation far ahead, or hide those that are."""
    report = {"server": member.partition(".")[2], "rings": {"all": {"serial": 2**40, "generation": 2**40}}}
    assert Host(api, member).post("/v1/antivirus/reports", report).status_code == 403
    assert api.http.simulate_get("/v1/antivirus/fleet").json["rings"] == {}


@pytest.mark.parametrize(
    "path", ["/v1/status", "/v1/policy", "/v1/tokens", "/v1/decisions", "/v1/pools", "/v1/allow", "/v1/flows"]
)
def test_a_member_sees_nothing_of_what_operators_do(proxy: Host, path: str) -> None:
    assert proxy.get(path).status_code == 404


def test_a_pool_that_there_is_not_has_no_settings(api: Northbound) -> None:
    assert api.http.simulate_get("/v1/settings/proxies").status_code == 200
    assert api.http.simulate_get("/v1/settings/nobody").status_code == 404
