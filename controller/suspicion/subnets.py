"""Neighbours that are all suspicious at once: then their network is. Pure.

Whoever has many addresses of one network attacks from all of them; to decide about
each alone is always one too late.
"""

from collections import OrderedDict

from controller.policy.model import Network

WIDER = {4: 24, 6: 48}  # the network that is decided about, by family
_MOST_NETWORKS = 20_000


class Subnets:
    def __init__(self) -> None:
        self._members: OrderedDict[Network, dict[Network, float]] = (
            OrderedDict()
        )  # until when each is decided

    def on_decided(self, now: float, source: Network, until: float, enough: int) -> Network | None:
        """A source is decided about; return its network once `enough` of it are. Zero: never."""
        width = WIDER[source.version]
        if not enough or source.prefixlen <= width:
            return None
        network = source.supernet(new_prefix=width)
        known = self._members.pop(network, {})
        members = {each: ends for each, ends in known.items() if ends > now}
        members[source] = until
        self._members[network] = members
        if len(self._members) > _MOST_NETWORKS:
            self._members.popitem(last=False)
        if len(members) < enough:
            return None
        del self._members[network]
        return network
