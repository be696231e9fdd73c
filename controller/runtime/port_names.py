"""Which interface belongs to each port of the policy: learned at first sight, and accepted by operators."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from common.journal.journal import Journal
from controller.runtime.bridges import BridgeWatch
from controller.store import Store
from controller.sync.outcomes import Port
from controller.telemetry.events import ControllerEvent

_LONGEST_BYTES = 15
_NONE: Mapping[int, str] = {}


class PortNames:
    """Names by port number, by dpid: of ports of this policy and of earlier ones, also after a restart.

    A name that is known is replaced only by `accept` and `follow`: whichever of OpenFlow and Open vSwitch's
    database shows another device first, the other one does not make it right.
    """

    def __init__(self, store: Store, journal: Journal, bridges: BridgeWatch) -> None:
        self._store, self._journal, self._bridges = store, journal, bridges
        self._names: dict[int, Mapping[int, str]] = {}

    def load(self) -> None:
        """Take up the remembered names. Those that cannot be read are learned again. Raise `StoreError`."""
        for dpid, facts in self._store.port_names():
            try:
                self._names[dpid] = _from_facts(facts)
            except (AttributeError, TypeError, ValueError) as error:
                self._journal.write(
                    ControllerEvent.BRIDGE_NOT_REMEMBERED, reason=f"names of ports: {error!r}"
                )

    def of(self, dpid: int) -> Mapping[int, str]:
        return self._names.get(dpid, _NONE)

    def learn(self, dpid: int, used: Collection[int], ports: Mapping[int, Port]) -> None:
        """Take the names of ports that were never seen before. Ports that have left the policy stay known."""
        known = self.of(dpid)
        names = {
            number: name
            for number, name in known.items()
            if number in used or (number in ports and ports[number].name == name)
        }
        names = {**self._in_database(dpid), **names}
        names |= {number: ports[number].name for number in used if number in ports and number not in names}
        self._remember(dpid, names)

    def accept(self, dpid: int, used: Collection[int], ports: Mapping[int, Port]) -> None:
        """Take the names as they are now. Raise `StoreError`; nothing has changed in that case."""
        names = {**self.of(dpid), **{number: ports[number].name for number in used if number in ports}}
        self._store.put_port_names(dpid, _to_facts(names))
        self._names[dpid] = names

    def follow(self, dpid: int) -> None:
        """Take the names of a bridge that was accepted in the database."""
        self._remember(dpid, self._in_database(dpid))

    def _in_database(self, dpid: int) -> dict[int, str]:
        return {number: _cut(name) for number, name in self._bridges.learned(dpid).items()}

    def _remember(self, dpid: int, names: Mapping[int, str]) -> None:
        if names != self.of(dpid):
            self._names[dpid] = names
            self._bridges.store_or_tell(lambda: self._store.put_port_names(dpid, _to_facts(names)))

    def keep_only(self, dpids: Collection[int]) -> None:
        """Forget switches that are not in the policy any more."""
        for dpid in set(self._names) - set(dpids):
            self._bridges.store_or_tell(partial(self._store.delete_port_names, dpid))
            del self._names[dpid]


def _cut(name: str) -> str:
    """Return a name as OpenFlow shows it (1.4, 7.2.1): in 16 bytes, of which the last one is zero."""
    return name.encode()[:_LONGEST_BYTES].decode(errors="replace")


def _to_facts(names: Mapping[int, str]) -> dict[str, Any]:
    return {str(number): name for number, name in sorted(names.items())}


def _from_facts(facts: Mapping[str, Any]) -> Mapping[int, str]:
    return {int(number): str(name) for number, name in facts.items()}
