"""Ports and settings of the policy's switches, as OpenFlow shows them: compared, and put back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.drift.ledger import DriftLedger, Ending, Observation
from controller.drift.model import OF_SETTINGS
from controller.drift.rehearsal import SettingsRehearsal, rehearse_settings
from controller.drift.settings import SeenSwitch, build_reset, compare
from controller.policy.model import DriftMode, Policy, Switch
from controller.runtime.port_names import PortNames
from controller.runtime.switch_record import SwitchRecord
from controller.runtime.switches import Switches
from controller.sync.refusal import SwitchRefusal
from controller.sync.settings import SettingsReset
from controller.telemetry.events import ControllerEvent
from controller.topology.ports import PortUse, ports_by_switch

_PUT_BACK_EVERY_S = 0.3  # for each switch
_PUT_BACK_AGAIN_S = 2.0  # what the switch takes, but does not keep
_SEEN_WITHIN_S = 5.0  # a setting that was put back is seen in the next turn, unless the switch ignores it
_DOES_NOT_STAY = (
    "what is put back at its ports or settings does not stay: the switch ignores it, or a program changes it "
    "again and again; remedy: find the program (ovs-appctl vlog/set vconn:dbg on its host logs all requests)"
)


@dataclass(slots=True)
class _Known:
    """`is_put_back`: a reset was sent, was not refused, and there is still something that it concerns.

    `sent`: the last one, at the time `sent_at`. `refused`: that the switch does not take it.
    """

    next_at: float = 0.0
    busy_until: float = 0.0
    is_put_back: bool = False
    sent: SettingsReset = field(default_factory=SettingsReset)
    sent_at: float = 0.0
    refused: SwitchRefusal = field(default_factory=SwitchRefusal)

    def is_due(self, now: float, reset: SettingsReset) -> bool:
        """Return whether to send it: something else than was refused does not wait as long."""
        is_other = reset != self.sent and now >= self.sent_at + _PUT_BACK_EVERY_S
        return now >= self.next_at or is_other

    def note_sent(self, now: float, reset: SettingsReset) -> None:
        self.busy_until = self.busy_until if self.is_put_back else now + _SEEN_WITHIN_S
        self.is_put_back, self.sent, self.sent_at = True, reset, now
        self.next_at = now + (_PUT_BACK_AGAIN_S if self.refused.count else _PUT_BACK_EVERY_S)


class SettingsWatch:
    """`names`: which interface belongs to each port."""

    def __init__(self, switches: Switches, ledger: DriftLedger, names: PortNames) -> None:
        self._switches, self._ledger, self._names = switches, ledger, names
        self._known: dict[int, _Known] = {}
        self._uses: tuple[Policy | None, dict[str, dict[int, PortUse]]] = (None, {})

    def look(self, now: float, utc: float, policy: Policy, *, must_repair: bool = False) -> None:
        """Look at all switches; put back what can be, if the policy or `must_repair` asks for it."""
        for dpid in set(self._known) - set(self._switches.records):
            del self._known[dpid]
        self._names.keep_only(self._switches.records)
        for dpid in self._switches.records:
            self.look_at(now, utc, dpid, policy, must_repair=must_repair)

    def look_at(
        self, now: float, utc: float, dpid: int, policy: Policy, *, must_repair: bool = False
    ) -> None:
        record = self._switches.records[dpid]
        if record.channel is None:
            return  # its ports are those that it had when it was connected last
        seen = self._seen(dpid, record, policy)
        if not record.session.is_read:
            return
        known = self._known.setdefault(dpid, _Known())
        differences, ending = compare(seen), Ending.REPAIRED if known.is_put_back else Ending.BY_ITSELF
        self._ledger.observe(
            utc, Observation(record.name, OF_SETTINGS, differences, ending=ending, yields=True)
        )
        reset = build_reset(seen)
        if reset.is_empty:
            if known.is_put_back:
                self._ledger.on_repaired(utc, record.name)
            known.is_put_back = False
            known.refused = self._switches.limited.end_refusal(now, record.name, known.refused)
        elif must_repair or (policy.drift is DriftMode.REPAIR and known.is_due(now, reset)):
            if known.is_put_back and now >= known.busy_until:
                self._note_refusal(now, record, known, _DOES_NOT_STAY)
            known.note_sent(now, reset)
            record.channel.reset(reset)

    def on_refused(self, now: float, dpid: int, reason: str) -> None:
        """A switch has refused what was to be put back. It is tried again, less and less often."""
        record, known = self._switches.records.get(dpid), self._known.get(dpid)
        if record is None or known is None:
            return
        self._note_refusal(now, record, known, reason)
        known.is_put_back, known.next_at = False, now + known.refused.pause_s

    def refusal(self, dpid: int) -> str:
        """Return why settings of a switch cannot be put back; empty: they can."""
        known = self._known.get(dpid)
        return known.refused.reason if known else ""

    def _note_refusal(self, now: float, record: SwitchRecord, known: _Known, reason: str) -> None:
        if not known.refused.count:
            self._switches.limited.write(
                now, ControllerEvent.SWITCH_SETTINGS_REFUSED, record.name, reason=reason
            )
        known.refused = known.refused.again(reason)

    def is_busy(self, now: float, dpid: int) -> bool:
        """Return whether settings are put back, and it is not seen yet whether that has worked."""
        known = self._known.get(dpid)
        return known is not None and known.is_put_back and now < known.busy_until

    def rehearse(self, policy: Policy) -> dict[str, SettingsRehearsal]:
        """Return what `look` would put back for a policy, and what would stay, by switch."""
        uses = ports_by_switch(policy)
        return {each.name: self._rehearse(each, uses[each.name]) for each in policy.switches}

    def _rehearse(self, switch: Switch, uses: Mapping[int, PortUse]) -> SettingsRehearsal:
        record = self._switches.records.get(switch.dpid)
        if record is None or not record.session.is_read:  # what is not seen now is not put back now
            name = record.name if record else switch.name
            return SettingsRehearsal(staying=self._ledger.last_found(name, OF_SETTINGS))
        at_first_sight = {number: record.ports[number].name for number in uses if number in record.ports}
        names = {**at_first_sight, **self._names.of(switch.dpid)}
        return rehearse_settings(SeenSwitch(switch.name, uses, record.ports, names, record.settings))

    def accept(self, dpid: int, policy: Policy) -> bool:
        """Take the interfaces at the ports of a switch for good; return whether they are known.

        Raise `StoreError`; nothing has changed in that case.
        """
        record = self._switches.records.get(dpid)
        if record is None or record.channel is None or not record.session.is_read:
            return False
        self._names.accept(dpid, self._uses_of(policy).get(record.name, {}), record.ports)
        return True

    def _seen(self, dpid: int, record: SwitchRecord, policy: Policy) -> SeenSwitch:
        uses = self._uses_of(policy).get(record.name, {})
        self._names.learn(dpid, uses, record.ports)
        return SeenSwitch(record.name, uses, record.ports, self._names.of(dpid), record.settings)

    def _uses_of(self, policy: Policy) -> dict[str, dict[int, PortUse]]:
        if self._uses[0] is not policy:
            self._uses = policy, ports_by_switch(policy)
        return self._uses[1]
