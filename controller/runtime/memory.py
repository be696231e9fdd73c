"""Keeps what is known of the network in the store, so that a controller that restarts need not guess."""

from collections.abc import Iterable

from common.journal.journal import Journal
from common.wire.codec import RecordError, from_media, to_media
from controller.policy.model import PortRef
from controller.pools.memory import RememberedMember, RememberedNetwork, RememberedPort
from controller.store import Store, StoreError
from controller.telemetry.events import ControllerEvent


class NetworkMemory:
    def __init__(self, store: Store, journal: Journal) -> None:
        self._store, self._journal = store, journal
        self.known = RememberedNetwork()  # what the store holds

    def recall(self) -> RememberedNetwork:
        """Return what was kept last; nothing if another release kept it in a form of its own."""
        try:
            if (media := self._store.network()) is not None:
                self.known = from_media(RememberedNetwork, media)
        except (RecordError, StoreError) as error:
            self._journal.write(ControllerEvent.NETWORK_NOT_REMEMBERED, reason=str(error))
        return self.known

    def keep(
        self, members: tuple[RememberedMember, ...], down: Iterable[PortRef], trunks: Iterable[PortRef]
    ) -> None:
        """Store it if it has changed. `down`, `trunks`: ports, and ends of trunks."""
        known = RememberedNetwork(members, _ports(down), _ports(trunks))
        if known == self.known:
            return
        self.known = known  # a full disk is reported once for each change
        try:
            self._store.put_network(to_media(known))
        except StoreError as error:
            self._journal.write(ControllerEvent.NETWORK_NOT_REMEMBERED, reason=str(error))


def _ports(ports: Iterable[PortRef]) -> tuple[RememberedPort, ...]:
    return tuple(RememberedPort(port.switch, port.port) for port in sorted(set(ports)))
