"""The bridges of the policy in Open vSwitch's database: what is wrong with them, and their repair."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from common.journal.journal import Journal
from controller.drift.bridge_facts import from_facts, to_facts
from controller.drift.bridge_record import BridgeRecord, WatchedBridge
from controller.drift.bridge_repair import build_repair
from controller.drift.bridges import accept, compare, find, learn, learn_at_first_sight
from controller.drift.ledger import DriftLedger, Ending, Observation
from controller.drift.model import OF_BRIDGES
from controller.drift.ovsdb import OvsdbError
from controller.drift.rehearsal import SettingsRehearsal, rehearse_bridge
from controller.policy.model import DriftMode, Policy
from controller.runtime.events import BridgeRepairEnded, BridgesRead, BridgesUnread
from controller.runtime.switches import Switches
from controller.store import Store, StoreError
from controller.sync.refusal import SwitchRefusal
from controller.telemetry.events import ControllerEvent
from controller.topology.ports import ports_by_switch

_REPAIR_EVERY_S = 0.9  # for each switch
_RETRY_S = 5.0  # after a repair that failed
_SETTLES_S = 1.0
_REMEDY = (
    "remedy: name the socket of Open vSwitch's database (POSTERN_SWITCH_DATABASE), and run the controller as "
    "a user that may open it; or set it to off if the switches are on other machines"
)


class BridgeChannel(Protocol):
    """The way to this machine's Open vSwitch."""

    def change(self, switch: str, arguments: tuple[str, ...]) -> None:
        """Give arguments to `ovs-vsctl`. Returns at once; the result comes back as an event."""

    def own_target(self, target: str) -> str:
        """Return a controller's target if it leads to this controller, otherwise one that does."""


@dataclass(frozen=True, slots=True)
class UnwatchedBridge:
    """A connected switch whose configuration is not judged. `is_wrong`: it could be, and should be.

    `is_here`: its bridge is seen, and is judged once its switch is in step.
    """

    switch: str
    reason: str
    is_wrong: bool
    is_here: bool = False

    def __str__(self) -> str:
        return f"controllers, fail mode and interfaces of {self.switch} are not watched: {self.reason}"


@dataclass(slots=True)
class _Repair:
    """The repair of one switch. `has_run`: one has been made since its last difference was found.

    `is_asked_for`: an operator has applied a policy, and it could not begin at once. `settles_until`: its
    effect may not be read before.
    """

    next_at: float = 0.0
    is_running: bool = False
    is_asked_for: bool = False
    has_run: bool = False
    settles_until: float = 0.0
    refused: SwitchRefusal = field(default_factory=SwitchRefusal)


class BridgeWatch:
    """Compares bridges with the policy and with what they were when they were last good."""

    def __init__(
        self, store: Store, journal: Journal, switches: Switches, ledger: DriftLedger, channel: BridgeChannel
    ) -> None:
        self._store, self._journal, self._switches = store, journal, switches
        self._ledger, self._channel = ledger, channel
        self._good: dict[int, BridgeRecord] = {}
        self._records: tuple[BridgeRecord, ...] | None = None
        self._unread = BridgesUnread("it has not been read yet")
        self._repairs: dict[str, _Repair] = {}
        self._not_stored = ""

    def load(self) -> None:
        """Take up the remembered bridges. One that cannot be read is learned again. Raise `StoreError`."""
        for dpid, facts in self._store.bridges():
            try:
                self._good[dpid] = self._at_own_address(from_facts(facts))
            except OvsdbError as error:
                self._journal.write(ControllerEvent.BRIDGE_NOT_REMEMBERED, reason=str(error))

    def _at_own_address(self, good: BridgeRecord) -> BridgeRecord:
        """This controller may listen elsewhere than when the bridge was remembered."""
        controllers = tuple(
            replace(each, target=self._channel.own_target(each.target)) if each.is_own else each
            for each in good.controllers
        )
        return replace(good, controllers=controllers)

    def on_event(
        self, now: float, utc: float, event: BridgesRead | BridgesUnread | BridgeRepairEnded
    ) -> None:
        match event:
            case BridgesRead():
                self._on_read(event)
            case BridgesUnread():
                self._on_unread(event)
            case BridgeRepairEnded():
                self._on_repair_ended(now, utc, event)

    def _on_read(self, event: BridgesRead) -> None:
        if self._records is None:
            self._journal.write(ControllerEvent.BRIDGES_WATCHED)
        self._records = event.records

    def _on_unread(self, event: BridgesUnread) -> None:
        """What was known of the bridges is not known any more."""
        self._records, self._unread = None, event
        if event.is_wanted:
            self._journal.write(ControllerEvent.BRIDGES_NOT_WATCHED, reason=f"{event.reason}; {_REMEDY}")

    def _on_repair_ended(self, now: float, utc: float, event: BridgeRepairEnded) -> None:
        repair = self._repair(event.switch)
        repair.is_running, repair.has_run = False, not event.reason
        repair.settles_until = 0.0 if event.reason else now + _SETTLES_S
        if not event.reason:
            self._ledger.on_repaired(utc, event.switch)
            self._end_refusal(now, event.switch)
        else:
            repair.refused = repair.refused.again(event.reason)
            repair.next_at = now + _RETRY_S
            if repair.refused.count == 1:
                self._switches.limited.write(
                    now, ControllerEvent.BRIDGE_NOT_REPAIRED, event.switch, reason=event.reason
                )

    def _end_refusal(self, now: float, switch: str) -> None:
        repair = self._repair(switch)
        repair.refused = self._switches.limited.end_refusal(now, switch, repair.refused)

    def is_busy(self, now: float, switch: str) -> bool:
        """Return whether a switch's bridge is being repaired, or what a repair did is about to be read."""
        repair = self._repair(switch)
        is_due = (
            repair.is_asked_for and self._records is not None
        )  # otherwise it is not known when it can begin
        return repair.is_running or is_due or now < repair.settles_until

    def refusal(self, switch: str) -> str:
        """Return why the last repair of a switch's bridge failed; empty: it did not."""
        return self._repair(switch).refused.reason

    def accept(self, utc: float, policy: Policy, switch: str) -> bool:
        """Take a bridge as it is now for good, or forget one that is not here any more.

        Return whether there was anything to accept. Raise `StoreError`; nothing has changed in that case.
        """
        for watched in self._watched(policy) if self._records is not None else ():
            if watched.switch != switch:
                continue
            dpid, found = watched.dpid, watched.found
            if found and found.dpid == dpid:
                good = accept(watched, found)
                self._store.put_bridge(dpid, to_facts(good))
                self._good[dpid] = good
                return True
            if dpid in self._good:
                self._store.delete_bridge(dpid)
                del self._good[dpid]
                self._ledger.observe(utc, Observation(switch, OF_BRIDGES))
                return True
        return False

    def look(self, now: float, utc: float, policy: Policy, *, must_repair: bool = False) -> None:
        """Compare all bridges, and repair what can be repaired if the policy or `must_repair` asks for it.

        A bridge is ours once it was in step, and one of its controllers led here: a switch of another machine
        may have the same datapath id as a bridge of this one.
        """
        if self._records is None:
            return
        for dpid in set(self._good) - {switch.dpid for switch in policy.switches}:
            self._forget(dpid)
        for watched in self._watched(policy):
            is_in_step = self._switches.is_back(watched.dpid)
            found, is_new = watched.found, watched.dpid not in self._good
            if is_new:
                if not is_in_step or found is None or not found.leads_here:
                    continue
                self._remember(watched.dpid, learn_at_first_sight(watched, found))
                watched = replace(watched, good=self._good[watched.dpid])
            differences, repair = compare(watched), self._repair(watched.switch)
            is_repaired = repair.is_running or repair.has_run
            ending = Ending.REPAIRED if is_repaired else Ending.BY_ITSELF
            self._ledger.observe(utc, Observation(watched.switch, OF_BRIDGES, differences, ending=ending))
            # What is wrong with a bridge at first sight was not in the plan that was applied.
            repair.is_asked_for |= must_repair and not is_new
            self._repair_if_due(now, watched, policy.drift)
            if found and not differences:
                good = learn(watched, found)
                if (good, good.labels) != (watched.good, watched.good.labels):
                    self._remember(watched.dpid, good)

    def _repair_if_due(self, now: float, watched: WatchedBridge, mode: DriftMode) -> None:
        arguments, repair = build_repair(watched), self._repair(watched.switch)
        if not arguments:
            repair.has_run = repair.is_asked_for = False
            self._end_refusal(now, watched.switch)
            return
        is_wanted = repair.is_asked_for or mode is DriftMode.REPAIR
        if is_wanted and not repair.is_running and now >= repair.next_at:
            repair.is_running, repair.is_asked_for, repair.next_at = True, False, now + _REPAIR_EVERY_S
            self._channel.change(watched.switch, arguments)

    def rehearse(self, policy: Policy) -> dict[str, SettingsRehearsal]:
        """Return what `look` would repair for a policy, and what would stay, by switch."""
        if self._records is None:  # what is not seen now is not repaired now
            return {
                name: SettingsRehearsal(staying=self._ledger.last_found(name, OF_BRIDGES))
                for name in self._ledger.switches
            }
        return {
            each.switch: rehearse_bridge(each) for each in self._watched(policy) if each.dpid in self._good
        }

    def unwatched(self) -> Iterator[UnwatchedBridge]:
        """Yield the connected switches whose bridges cannot be seen. Remembered ones are judged by `look`."""
        here = {each.dpid for each in self._records or () if each.leads_here}
        for dpid, record in sorted(self._switches.records.items()):
            if record.channel is None:
                continue
            if self._records is None:
                reason = (
                    f"{self._unread.reason}; {_REMEDY}" if self._unread.is_wanted else self._unread.reason
                )
                yield UnwatchedBridge(record.name, reason, self._unread.is_wanted)
            elif dpid in self._good:
                continue
            elif dpid in here:
                reason = "its switch has not been in step yet; remedy: postern apply"
                # One that is in step is judged within a moment.
                is_left, is_here = record.session.is_drift_left, not record.is_in_step
                yield UnwatchedBridge(record.name, reason, is_left, is_here)
            else:
                yield UnwatchedBridge(
                    record.name,
                    "this machine's Open vSwitch has no such bridge that is connected to this controller",
                    False,
                )

    def is_watched(self, dpid: int) -> bool:
        """Return whether a bridge is seen in the database, and it is known what it was when it was good."""
        return self._records is not None and dpid in self._good

    def learned(self, dpid: int) -> dict[int, str]:
        """Return the interfaces of a bridge that are known to be right, by port."""
        good = self._good.get(dpid)
        return {number: each.name for number, each in good.interface_by_port.items()} if good else {}

    def _watched(self, policy: Policy) -> Iterator[WatchedBridge]:
        ports = ports_by_switch(policy)
        for switch in policy.switches:
            good = self._good.get(switch.dpid, BridgeRecord("", "", switch.dpid))
            watched = WatchedBridge(switch.name, switch.dpid, ports[switch.name], good)
            yield find(watched, self._records or ())

    def _repair(self, switch: str) -> _Repair:
        return self._repairs.setdefault(switch, _Repair())

    def _remember(self, dpid: int, good: BridgeRecord) -> None:
        self._good[dpid] = good
        self.store_or_tell(lambda: self._store.put_bridge(dpid, to_facts(good)))

    def _forget(self, dpid: int) -> None:
        """The policy does not contain this switch any more."""
        del self._good[dpid]
        self.store_or_tell(lambda: self._store.delete_bridge(dpid))

    def store_or_tell(self, change: Callable[[], None]) -> None:
        """Store what is known of a bridge. If that fails, it is reported once, and known all the same."""
        try:
            change()
        except StoreError as error:
            if str(error) != self._not_stored:
                self._journal.write(ControllerEvent.BRIDGE_NOT_REMEMBERED, reason=str(error))
            self._not_stored = str(error)
        else:
            self._not_stored = ""
