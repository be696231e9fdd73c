"""Our decisions in the form of a CrowdSec local API, so that existing bouncers can use them.

Only decisions that a bouncer can apply: those about a whole source that send it to
decoys or drop it, as type `ban`. Sources: CrowdSec's LAPI specification, paths
`/decisions` and `/decisions/stream`.
"""

from collections import OrderedDict
from ipaddress import ip_network
from typing import Any

import falcon

from common.wire.codec import Json
from controller.api.auth import forbid
from controller.api.context import Caller, Outside, Resource, principal_of
from controller.api.unexpected import tell_unexpected
from controller.policy.model import Network
from controller.runtime import Asker
from controller.runtime.commands.suspicion import ListBans
from controller.suspicion.codec import read_source
from controller.suspicion.decision import Decision

_MOST_BOUNCERS = 100


def build_bouncer_app(ask: Asker, outside: Outside) -> falcon.App[Any, Any]:
    app = falcon.App()
    tell_unexpected(app)
    forbid(app)
    app.add_route("/v1/decisions", _Bans(ask, outside))
    app.add_route("/v1/decisions/stream", _Stream(ask, outside))
    return app


def _bans(ask: Caller) -> dict[Network, Decision]:
    """Return the decisions that a bouncer can apply, by source."""
    return {decision.request.scope.source: decision for decision in ask(ListBans())}


class _Bans(Resource):
    def on_head(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Bouncers check with this request whether their key is valid."""
        response.status = falcon.HTTP_200

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Return a list, or `null`; `ip` and `range` select the decisions that cover them."""
        asked = request.get_param("ip") or request.get_param("range") or request.get_param("value")
        wanted = read_source(asked) if asked else None
        known = _bans(self._caller(request))
        found = [each for source, each in known.items() if wanted is None or _covers(source, wanted)]
        response.media = [_show(each, self._outside.utc()) for each in found] or None


class _Stream(Resource):
    """Remembers what each bouncer was sent, so that the next answer is the difference."""

    def __init__(self, ask: Asker, outside: Outside) -> None:
        super().__init__(ask, outside)
        self._told: OrderedDict[str, dict[Network, Decision]] = OrderedDict()

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        name = principal_of(request).name
        before = self._told.pop(name, {})
        if request.get_param_as_bool("startup"):
            before = {}
        now = self._told[name] = _bans(self._caller(request))
        if len(self._told) > _MOST_BOUNCERS:
            self._told.popitem(last=False)
        utc = self._outside.utc()
        response.media = {
            "new": [_show(each, utc) for source, each in now.items() if before.get(source) != each] or None,
            "deleted": [_show(each, utc) for source, each in before.items() if source not in now] or None,
        }


def _covers(wide: Network, narrow: Network) -> bool:
    return (
        wide.version == narrow.version
        and wide.prefixlen <= narrow.prefixlen
        and narrow.network_address in ip_network(wide)
    )


def _show(decision: Decision, utc: float) -> Json:
    source = decision.request.scope.source
    is_one = source.prefixlen == source.max_prefixlen
    return {
        "id": decision.number,
        "origin": decision.request.origin,
        "scenario": decision.request.scenario,
        "scope": "Ip" if is_one else "Range",
        "type": "ban",
        "value": str(source.network_address) if is_one else str(source),
        "duration": f"{decision.until - utc:.3f}s",
    }
