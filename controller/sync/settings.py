"""What is put back of a switch's settings, outside of its tables. Pure."""

from dataclasses import dataclass

from controller.sync.outcomes import Port


@dataclass(frozen=True, slots=True)
class SettingsReset:
    """`ports`: those that must receive, forward and report again. `tables`: those that must keep their flows.

    `miss_send_len`: make fragments normal again, and leave this length as it is; None: they are normal.
    """

    ports: tuple[Port, ...] = ()
    tables: tuple[int, ...] = ()
    miss_send_len: int | None = None

    @property
    def is_empty(self) -> bool:
        return not self.ports and not self.tables and self.miss_send_len is None
