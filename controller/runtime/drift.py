"""Takes what others have changed on switches into the ledger, and reports it in the journal."""

from common.journal.journal import Journal
from controller.drift.ledger import DriftLedger, DriftNote, Ending, NoteKind, Observation
from controller.drift.model import OF_TABLES
from controller.drift.words import Describer, Rules
from controller.pipeline.flows import SwitchState
from controller.runtime.accepted import Accepted
from controller.runtime.commands.drift import DriftRow, SwitchDrift
from controller.runtime.encoding import Encoder
from controller.runtime.explain import place_of
from controller.runtime.switch_record import SwitchRecord
from controller.runtime.switches import Switches
from controller.runtime.unknown import unknown_state
from controller.sync.watch import Monitoring
from controller.telemetry.events import ControllerEvent

RECENT_S = 3_600.0
_MUCH, _PAUSE_S = 100, 0.25
_EVENT_BY_NOTE = {
    NoteKind.FOUND: ControllerEvent.DRIFT_FOUND,
    NoteKind.REPAIRED: ControllerEvent.DRIFT_REPAIRED,
    NoteKind.BY_ITSELF: ControllerEvent.DRIFT_ENDED,
}


class DriftWatch:
    """`ledger`: other parts that find differences on switches write into it, too."""

    def __init__(self, journal: Journal, switches: Switches, encoder: Encoder) -> None:
        self._journal = journal
        self._switches = switches
        self._describer = Describer(encoder.describe)
        self.ledger = DriftLedger()
        self._seen: dict[str, tuple[int, int]] = {}  # version of the strays, and repairs so far
        self._looked_at: dict[str, float] = {}
        self._unmonitored: dict[str, str] = {}  # reasons that are in the journal
        self._rules: tuple[Accepted | None, dict[str, Rules]] = (None, {})

    def look(self, utc: float, accepted: Accepted | None) -> None:
        """Take up what has changed since the last call; cheap if nothing has."""
        if accepted is None:
            return
        names = {record.name for record in self._switches.records.values()}
        self.ledger.forget(set(self.ledger.switches) - names)
        for record in self._switches.records.values():
            if record.channel is not None and record.session.is_read:
                self._look_at(utc, record, accepted)
                self._note_monitor(record)
        for note in self.ledger.take_notes(utc):
            self._tell(note, accepted)

    def report(self, now: float, utc: float, accepted: Accepted) -> tuple[SwitchDrift, ...]:
        """Return what is open and what has ended recently, by switch."""
        return tuple(
            SwitchDrift(
                record.name,
                self.ledger.count_open(record.name),
                tuple(DriftRow(each, _place(accepted, each.difference.rule)) for each in opened),
                tuple(
                    DriftRow(each, _place(accepted, each.difference.rule))
                    for each in self.ledger.ended_on(record.name)
                    if utc - each.ended_at <= RECENT_S
                ),
                self.repairs(utc, record.name),
                watched(now, record),
                record.session.refused.reason,
                str(unknown_state(now, record) or ""),
            )
            for record in sorted(self._switches.records.values(), key=lambda record: record.name)
            for opened in [self.ledger.open_on(record.name)]
        )

    def repairs(self, utc: float, switch: str) -> int:
        """Return how often a switch was repaired within `RECENT_S`."""
        return self.ledger.repairs(switch, utc - RECENT_S)

    def _look_at(self, utc: float, record: SwitchRecord, accepted: Accepted) -> None:
        session = record.session
        version, repairs = self._seen.get(record.name, (0, 0))
        now = session.strays.version, session.repairs
        if now == (version, repairs) or self._is_too_soon(utc, record):
            return
        self._seen[record.name] = now
        self._looked_at[record.name] = utc
        for _ in range(session.repairs - repairs):
            self.ledger.on_repaired(utc, record.name)
        found = self._describer.differences(session, self._rules_of(accepted, record.name))
        ending = Ending.REPAIRED if session.repairs != repairs else Ending.BY_ITSELF
        more = max(0, session.strays.count - len(found)) if found else 0
        self.ledger.observe(utc, Observation(record.name, OF_TABLES, found, more, ending))

    def _is_too_soon(self, utc: float, record: SwitchRecord) -> bool:
        """Return whether a switch reports so much that more should be taken up at once, a little later."""
        is_much = min(self.ledger.count_open(record.name), record.session.strays.count) > _MUCH
        return is_much and 0 <= utc - self._looked_at.get(record.name, 0.0) < _PAUSE_S

    def _rules_of(self, accepted: Accepted, switch: str) -> Rules:
        known_for, rules = self._rules
        if known_for is not accepted:
            rules = {}
            self._rules = accepted, rules
        if switch not in rules:
            rules[switch] = _rules(accepted.states[switch])
        return rules[switch]

    def _note_monitor(self, record: SwitchRecord) -> None:
        watch = record.session.watch
        reason = watch.reason if watch.monitoring is Monitoring.OFF else ""
        if reason and self._unmonitored.get(record.name) != reason:
            self._journal.write(
                ControllerEvent.SWITCH_NOT_MONITORED,
                switch=record.name,
                reason=reason,
                seconds=watch.every_s,
            )
        self._unmonitored[record.name] = reason

    def _tell(self, note: DriftNote, accepted: Accepted) -> None:
        worst = note.worst
        self._journal.write(
            _EVENT_BY_NOTE[note.kind],
            switch=note.switch,
            count=note.count,
            difference=str(worst) if worst else "",
            rule=worst.rule if worst else "",
            place=_place(accepted, worst.rule) if worst else "",
        )


def watched(now: float, record: SwitchRecord) -> str:
    """Return in words how changes by others are noticed."""
    watch = record.session.watch
    if record.channel is None:
        return "not connected"
    match watch.monitoring:
        case Monitoring.OFF:
            last = f", last {watch.age_s(now):.0f} s ago" if record.session.is_read else ""
            return f"not monitored: read every {watch.every_s:.0f} s{last}"
        case Monitoring.PAUSED:
            return "its reports are paused: it has too many at once"
    return watch.monitoring.value


def _rules(state: SwitchState) -> Rules:
    return Rules(
        {flow.cookie: flow.because for flow in state.flows.values()},
        {number: group.because for number, group in state.groups.items()},
        {number: meter.because for number, meter in state.meters.items()},
    )


def _place(accepted: Accepted, rule: str) -> str:
    """Return `file:line:column`; empty for what no line of the policy asks for."""
    return place_of(accepted.policy, rule) if rule.partition(".")[0] not in ("", "decisions", "allow") else ""
