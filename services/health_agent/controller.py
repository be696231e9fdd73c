"""The controller as an agent sees it: reports go there, settings come back."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from services.base.controller import NotHeard, request
from services.health_agent.settings import AgentSettings, SettingsError, parse_settings


@dataclass(frozen=True, slots=True)
class HealthReport:
    problem: str = ""
    stale: str = ""


class Controller:
    def __init__(self, socket: str, member: str) -> None:
        self._socket, self.member = socket, member
        self._path = f"/v1/members/{quote(member, safe='')}/health"

    async def settings(self) -> AgentSettings:
        """Ask what to look at. Raise `NotHeard`."""
        return _settings_in(await request(self._socket, "GET", self._path))

    async def report(self, report: HealthReport) -> AgentSettings:
        """Say how the member is; return what to look at from now on. Raise `NotHeard`."""
        said = {"good": not report.problem, "detail": report.problem, "stale": report.stale}
        return _settings_in(await request(self._socket, "POST", self._path, json.dumps(said).encode()))


def _settings_in(media: Any) -> AgentSettings:
    try:
        return parse_settings(media.get("agent") if isinstance(media, dict) else None)
    except SettingsError as error:
        raise NotHeard(f"the controller's settings make no sense: {error}") from error
