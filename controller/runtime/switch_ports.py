"""The ports of the policy on its switches: which are down, and which are missing."""

from collections.abc import Iterator, Mapping

from controller.policy.model import Policy, PortRef
from controller.runtime.limited_journal import LimitedJournal
from controller.runtime.switch_record import SwitchRecord
from controller.sync.outcomes import Port
from controller.telemetry.events import ControllerEvent
from controller.topology.ports import ports_by_switch, ports_of


class SwitchPorts:
    """`records`: of all switches, by dpid. `remembered`: ports that were down before the controller began."""

    def __init__(self, limited: LimitedJournal, records: Mapping[int, SwitchRecord]) -> None:
        self._limited, self._records = limited, records
        self.remembered: frozenset[PortRef] = frozenset()  # until their switch is read

    def down(self, policy: Policy) -> Iterator[PortRef]:
        """Yield the ports of the policy that were down or missing at their switch's last report.

        Before its first report, that is the last one to a controller that has ended since.
        """
        by_name = {record.name: record for record in self._records.values()}
        for use in ports_of(policy):
            record = by_name.get(use.at.switch)
            if record and record.ports:
                port = record.ports.get(use.at.port)
                if port is None or port.is_down:
                    yield use.at
            elif use.at in self.remembered:
                yield use.at

    def check(self, now: float, policy: Policy) -> None:
        """Report the ports that the policy uses and a switch does not have."""
        used = ports_by_switch(policy)
        for record in self._records.values():
            if record.channel is None or not record.ports:
                continue
            missing = tuple(sorted(used.get(record.name, {}).keys() - record.ports.keys()))
            if missing and missing != record.missing_ports:
                self._limited.write(now, ControllerEvent.PORT_MISSING, record.name, ports=list(missing))
            record.missing_ports = missing

    def note(self, now: float, record: SwitchRecord, port: Port, was_deleted: bool) -> None:
        before = record.ports.pop(port.number, None)
        if not was_deleted:
            record.ports[port.number] = port
        went_down = port.is_down or was_deleted
        if before is None or before.is_down != went_down:
            event = ControllerEvent.PORT_WENT_DOWN if went_down else ControllerEvent.PORT_CAME_UP
            self._limited.write_of_port(now, event, record.name, port.number, port.name)
