"""The agent's client of the controller: sends reports and receives settings."""

import json
from urllib.parse import quote

from common.api import ApiAccess
from common.wire.codec import Loaded, RecordError, from_media, to_media, unknown_keys
from common.wire.health import AgentSettings, HealthReport
from services.base.controller import NotHeard, request


class Controller:
    def __init__(self, api: ApiAccess, member: str) -> None:
        self._api, self.member = api, member
        self._path = f"/v1/members/{quote(member, safe='')}/health"

    async def settings(self) -> Loaded[AgentSettings]:
        """Ask what to check. Raise `NotHeard`."""
        return _settings_in(await request(self._api, "GET", self._path))

    async def report(self, report: HealthReport) -> Loaded[AgentSettings]:
        """Report the member's health; return what to check from now on. Raise `NotHeard`."""
        body = json.dumps(to_media(report)).encode()
        return _settings_in(await request(self._api, "POST", self._path, body))


def _settings_in(media: object) -> Loaded[AgentSettings]:
    agent = media.get("agent") if isinstance(media, dict) else None
    try:
        settings = from_media(AgentSettings, agent)
    except RecordError as error:
        remedy = f"; remedy: {error.remedy}" if error.remedy else ""
        raise NotHeard(f"the controller's settings cannot be used: {error}{remedy}") from error
    return Loaded(settings, unknown_keys(agent, settings))
