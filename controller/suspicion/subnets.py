"""If enough sources of one network are suspicious at once, the whole network is. Pure.

An attacker with many addresses in one network uses all of them; decisions about
single addresses always come one too late.
"""

from collections import OrderedDict

from controller.policy.model import Network

WIDER = {4: 24, 6: 48}  # prefix length of the network, by family
_MOST_NETWORKS = 20_000


class Subnets:
    def __init__(self) -> None:
        self._members: OrderedDict[Network, dict[Network, float]] = (
            OrderedDict()
        )  # until when a decision about each one holds

    def on_decided(self, now: float, source: Network, until: float, enough: int) -> Network | None:
        """Note a decision about a source; return its network once there are `enough`. Zero: never."""
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
