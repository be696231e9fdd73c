"""Facts about members, ports and trunks that have been noted, and not acted on yet. Pure."""

_QUEUE_PATIENCE_S = 0.25
_READING_PATIENCE_S = 2.0


class Backlog:
    """While it is not empty, the network may differ from the one that the switches were programmed for."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._is_urgent = False
        self._ports: set[int] = set()

    @property
    def is_empty(self) -> bool:
        return self._since is None

    def note(self, now: float, *, is_urgent: bool = True) -> None:
        self._since = now if self._since is None else self._since
        self._is_urgent |= is_urgent

    def note_ports(self, now: float, dpid: int, *, is_urgent: bool) -> None:
        """A switch has reported ports. However many reports there are, its ports are looked at once."""
        self._ports.add(dpid)
        self.note(now, is_urgent=is_urgent)

    def take_ports(self) -> list[int]:
        """Return the switches whose ports have not been looked at since they were reported, once."""
        due, self._ports = sorted(self._ports), set()
        return due

    def is_due(self, now: float, *, are_any_reading: bool) -> bool:
        """Return whether to act on it now.

        Ports of switches that have just connected are not urgent while others are being read. So eight
        switches that connect at the same time cost one compilation at most.
        """
        if self._since is None:
            return False
        return self._is_urgent or not are_any_reading or now - self._since >= _READING_PATIENCE_S

    def is_overdue(self, now: float) -> bool:
        """Return whether it must not wait for the rest of the runtime's queue any longer."""
        return self._since is not None and now - self._since > _QUEUE_PATIENCE_S

    def clear(self) -> None:
        self._since, self._is_urgent = None, False
