"""The controller as an agent sees it: reports go there, settings come back."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from common.api import ApiAccess
from services.base.controller import NotHeard, request
from services.health_agent.settings import AgentSettings, SettingsError, parse_settings


@dataclass(frozen=True, slots=True)
class Report:
    problem: str = ""
    stale: str = ""


class Controller:
    def __init__(self, api: ApiAccess, member: str) -> None:
        self._api = api
        self._path = f"/v1/members/{quote(member, safe='')}/health"

    async def settings(self) -> AgentSettings:
        """Ask what to look at. Raise `NotHeard`."""
        return _settings_in(await request(self._api, "GET", self._path))

    async def report(self, report: Report) -> AgentSettings:
        """Say how the member is; return what to look at from now on. Raise `NotHeard`."""
        said = {"good": not report.problem, "detail": report.problem, "stale": report.stale}
        return _settings_in(await request(self._api, "POST", self._path, json.dumps(said).encode()))


def _settings_in(media: Any) -> AgentSettings:
    try:
        return parse_settings(media.get("agent") if isinstance(media, dict) else None)
    except SettingsError as error:
        raise NotHeard(f"the controller's settings make no sense: {error}") from error
