"""Decisions as tests ask for them."""

from ipaddress import ip_network
from typing import Any

from controller.policy.model import Action
from controller.suspicion.decision import Request, Scope


def request(source: str = "198.51.100.66", action: Action = Action.DECOY, **more: Any) -> Request:
    scope = {key: more.pop(key) for key in ("tenant", "protocol", "port") if key in more}
    return Request(Scope(ip_network(source), **scope), action, more.pop("origin", "test"), **more)
