"""Programs of earlier releases at the controller of today: each recorded request, at the real API."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import unquote

import pytest
from falcon import testing

from tests.api.conftest import Northbound
from tests.api.test_tokens import Bearers
from tests.upgrade.conftest import SetStage
from tests.upgrade.dialogues import RELEASES, Exchange, load, lost, stories_of
from tests.upgrade.ends import SIGNED, connect
from tests.upgrade.stories import ANTIVIRUS, MEMBER_BY_POOL, STORIES, TOKEN_PORT

TOLD = [(release, story) for release in RELEASES for story in stories_of(release)]
AT_THE_CONTROLLER = [told for told in TOLD if STORIES[told[1]].other_end is not ANTIVIRUS]
AT_ANTIVIRUS = [told for told in TOLD if STORIES[told[1]].other_end is ANTIVIRUS]

# Keys of a mail gateway's settings that are not sent any more, with the default that release 0.1 takes.
_LEFT_OUT = {"hostname": "postern", "state_dir": "/var/lib/postern/mail"}


@pytest.fixture
def api() -> Northbound:
    """The controller of today with the demo's policy on its one switch."""
    northbound = Northbound()
    northbound.start()
    northbound.connect()
    return northbound


class Asker:
    """Sends recorded requests to the controller of today, over TCP with the token of their member."""

    def __init__(self, api: Northbound, *, has_token: bool) -> None:
        self._bearers = Bearers(api)
        self._http = self._bearers.http if has_token else api.http
        self._has_token = has_token
        self._token_by_member: dict[str, str] = {}
        self._tag_by_path: dict[str, str] = {}

    def ask(self, recorded: Exchange) -> testing.Result:
        headers = dict(recorded.headers)
        if self._has_token:
            headers["Authorization"] = f"Bearer {self._token_of(_member_in(recorded.path))}"
        if "If-None-Match" in headers:
            headers["If-None-Match"] = self._tag_by_path[recorded.path]
        path, _, query = recorded.path.partition("?")
        body = None if recorded.body is None else json.dumps(recorded.body)
        answer = self._http.simulate_request(
            recorded.method, unquote(path), query_string=query, headers=headers, body=body
        )
        self._tag_by_path[recorded.path] = answer.headers.get("etag", "")
        return answer

    def _token_of(self, member: str) -> str:
        if member not in self._token_by_member:
            self._token_by_member[member] = self._bearers.token(member, "member")
        return self._token_by_member[member]


def _member_in(path: str) -> str:
    """Return the member that asks: of an uplink's requests each is about the member itself, or its pool."""
    *_, kind, name = path.removesuffix("/health").split("/")
    return name if kind == "members" else f"{name}.{MEMBER_BY_POOL[name]}"


@pytest.mark.parametrize(("release", "story"), AT_THE_CONTROLLER)
def test_the_controller_answers_an_old_program_with_all_that_it_reads(
    api: Northbound, release: str, story: str
) -> None:
    asker = Asker(api, has_token=STORIES[story].other_end is TOKEN_PORT)
    assert [
        problem
        for recorded in load(release, story).exchanges
        for problem in _unlike(recorded, asker.ask(recorded))
    ] == []


def _unlike(recorded: Exchange, now: testing.Result) -> Iterator[str]:
    asked = f"{recorded.method} {recorded.path}"
    if now.status_code // 100 != recorded.status // 100:
        yield f"{asked}: status was {recorded.status}, is {now.status_code}: {now.text}"
        return
    for header in recorded.answer_headers:
        if header not in now.headers:
            yield f"{asked}: {header} is missing"
    for problem in lost(recorded.answer, json.loads(now.text) if now.text else None):
        if not _is_left_out(problem, recorded.answer):
            yield f"{asked}: {problem}"


def _is_left_out(problem: str, answer: Any) -> bool:
    key = problem.removeprefix("answer.").removesuffix(" is missing")
    return key in _LEFT_OUT and answer["role"] in ("proxy", "scanner") and answer[key] == _LEFT_OUT[key]


@pytest.mark.programs
@pytest.mark.parametrize(("release", "story"), AT_ANTIVIRUS)
def test_a_server_of_today_answers_an_old_agent_with_all_that_it_reads(
    stage_of: SetStage, release: str, story: str
) -> None:
    with stage_of(release).antivirus() as url:
        assert [
            problem for recorded in load(release, story).exchanges for problem in _unlike_at(url, recorded)
        ] == []


def _unlike_at(url: str, recorded: Exchange) -> Iterator[str]:
    body = None if recorded.body is None else json.dumps(recorded.body)
    with closing(connect(url)) as connection:
        connection.request(recorded.method, recorded.path, body, dict(recorded.headers))
        answer = connection.getresponse()
        text = answer.read().decode()
    if answer.status != recorded.status:
        yield f"{recorded.path}: status was {recorded.status}, is {answer.status}"
    for header in recorded.answer_headers:
        if header not in answer.headers:
            yield f"{recorded.path}: {header} is missing"
    for problem in lost(_read(recorded), _media(recorded, text)):
        yield f"{recorded.path}: {problem}"


def _read(recorded: Exchange) -> Any:
    """Return what an agent reads of an answer: a signed document is JSON, all else is a file."""
    return _media(recorded, recorded.answer) if isinstance(recorded.answer, str) else recorded.answer


def _media(recorded: Exchange, text: str) -> Any:
    is_document = recorded.path.endswith(SIGNED[1:]) or not isinstance(recorded.answer, str)
    return json.loads(text) if text and is_document else text or None
