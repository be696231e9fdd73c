"""The routes of a role lead to its commands: to all of them, and to no others."""

from collections.abc import Iterator, Mapping
from typing import Any

import falcon
import pytest
from falcon import inspect, testing

from controller.api.app import build_role_apps
from controller.drift.bridge_record import BridgeRecord
from controller.runtime.commands.suspicion import ListBans
from controller.runtime.events import BridgesRead
from controller.runtime.permissions import COMMANDS_BY_ROLE
from controller.runtime.principals import BEARER_ROLES, OPERATOR, AccessRole, Principal
from tests.api.conftest import identified
from tests.api.test_envelopes import Recorded
from tests.world import DEMO

_DECISION = {"value": "198.51.100.66", "action": "decoy", "duration_s": 600}
_FACT = {"kind": "mail-malware", "source": "198.51.100.67"}
_POLICY = {"file": "demo.yaml", "text": DEMO}
_PRINCIPALS = (
    OPERATOR,
    Principal("feed", AccessRole.SENSOR),
    Principal("antivirus.av1", AccessRole.MEMBER),
    Principal("firewall1", AccessRole.BOUNCER),
)
# What is sent to a route that takes a body.
_BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/v1/policy"): _POLICY,
    ("POST", "/v1/plan"): _POLICY,
    ("POST", "/v1/decisions"): {"decisions": [_DECISION]},
    ("PUT", "/v1/origins/{origin}"): {"decisions": [_DECISION]},
    ("POST", "/v1/allow"): {"value": "198.51.100.0/24", "comment": "why"},
    ("POST", "/v1/evidence"): {"evidence": [_FACT]},
    ("POST", "/v1/antivirus/reports"): {"server": "av1", "reports": []},
    ("POST", "/v1/switches/{name}"): {"accepted": True},
    ("POST", "/v1/members/{name}"): {"drained": True},
    ("POST", "/v1/members/{name}/health"): {"good": True},
    ("POST", "/v1/tokens"): {"name": "firewall2", "role": "bouncer"},
}
_ELSEWHERE = {
    AccessRole.OPERATOR: frozenset({ListBans})
}  # operators see the same decisions with all their keys
_VALUES = {"origin": "feed", "number:int": "1", "pool": "antivirus", "source:path": "198.51.100.66"}
_NAMES = {
    "/v1/switches": "s1",
    "/v1/members": "antivirus.av1",
    "/v1/tenants": "acme",
    "/v1/tokens": "firewall2",
}


def paths(route: str) -> Iterator[str]:
    """Yield the requests that reach every command of a route."""
    for name, value in _VALUES.items():
        route = route.replace(f"{{{name}}}", value)
    route = route.replace("{name}", next((own for path, own in _NAMES.items() if route.startswith(path)), ""))
    if route.endswith("{what:path}"):
        yield from (route.replace("{what:path}", what) for what in ("0x1", "tenants.acme.mail"))
    elif route == "/v1/flows":
        yield from (route, f"{route}?counts=true&switch=s1")
    elif route == "/v1/decisions":
        yield f"{route}?origin=operator"
    else:
        yield route


def requests_of(app: falcon.App[Any, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield (method, path, body) for each method of each route; what deletes comes last."""
    known = [
        (method.method, route.path)
        for route in inspect.inspect_routes(app)
        for method in route.methods
        if not method.internal  # not falcon's own answers
    ]
    for method, route in sorted(known, key=lambda each: (each[0] == "DELETE", each[0] == "GET", each[1])):
        for path in paths(route):
            yield method, path, _BODIES.get((method, route))


def app_of(api: Recorded, role: AccessRole) -> falcon.App[Any, Any]:
    return {AccessRole.OPERATOR: api.app, **build_role_apps(api.ask, api.outside)}[role]


@pytest.mark.parametrize("by", _PRINCIPALS, ids=lambda by: by.role.value)
def test_the_routes_of_a_role_lead_to_its_commands(by: Principal) -> None:
    api, reached = Recorded(), set()
    api.sessions = {}
    app = app_of(api, by.role)
    http = testing.TestClient(identified(app, by))
    api.world.runtime.on(BridgesRead((BridgeRecord("b1", "s1", 1),)))
    api.http.simulate_post("/v1/decisions", json={"decisions": [_DECISION]})
    api.http.simulate_put("/v1/origins/feed", json={"decisions": [{**_DECISION, "value": "198.51.100.68"}]})
    for method, path, body in requests_of(app):
        api.asked.clear()
        answer = http.simulate_request(method, path, json=body)
        assert answer.status_code == 200, (method, path, answer.text)
        asked = {type(each.command) for each in api.asked if each.by == by}
        assert asked or method == "HEAD", f"{method} {path} asks nothing"
        reached |= asked
    assert reached | _ELSEWHERE.get(by.role, frozenset()) == COMMANDS_BY_ROLE[by.role]


def test_every_role_that_a_token_can_have_is_tried() -> None:
    assert {by.role for by in _PRINCIPALS} == set(BEARER_ROLES)
