"""What the runtime may ask of a connected switch."""

from typing import Protocol

from controller.policy.model import PortRef
from controller.pools.conntrack import Connection
from controller.sync.plan import Plan
from controller.sync.settings import SettingsReset


class Channel(Protocol):
    """The channel to one connected switch. Calls return at once; replies come back as outcomes."""

    @property
    def received(self) -> int:
        """Return how many messages the switch has sent so far."""

    def read(self, attempt: int) -> None: ...

    def watch(self) -> None:
        """Make the switch report what others change."""

    def read_groups(self, turn: int) -> None: ...

    def send(self, attempt: int, plan: Plan) -> None: ...

    def reset(self, reset: SettingsReset) -> None:
        """Put settings of the switch back."""

    def probe(self, origin: PortRef) -> None:
        """Make the switch send a probe out of one of its ports."""

    def forget(self, connections: tuple[Connection, ...]) -> None:
        """Make the switch forget connections."""

    def look_up(self, number: int, cookie: int, mask: int) -> None:
        """Ask for the flows whose cookies have some bits; the reply is `FlowsFound` with this number."""

    def look_up_parts(self, number: int, meters: tuple[int, ...], with_groups: bool) -> None:
        """Ask for some meters, and for all groups; the reply is `PartsFound` with this number."""

    def wake_up(self, connection: Connection, port: int, own_mac: int) -> None:
        """Make the switch send a segment that the initiator of a connection, behind a port, must answer."""
