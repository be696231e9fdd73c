"""Tries one fault: what the proof says of it, and what real frames say."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random

from controller.proof.model import Claim, NetworkState, Proof, Violation
from controller.proof.prove import prove
from controller.sync.state import WireState
from tests.ovs.frames.comparison import Comparison, Figures
from tests.ovs.frames.confirm import Attempt, Confirmation, is_held
from tests.ovs.frames.conversation import Outcome
from tests.ovs.frames.faults import Fault
from tests.ovs.frames.foresight import Foresight
from tests.ovs.frames.hosts import Cast
from tests.ovs.frames.near import Near
from tests.ovs.frames.network import NetworkUnderTest
from tests.ovs.frames.policies import Case
from tests.ovs.frames.promises import Promises
from tests.ovs.frames.traffic import Traffic

_STEPS = 120
_VIOLATIONS, _ATTEMPTS = 12, 3


@dataclass(slots=True)
class Verdict:
    """`shown`: the frames that got through only because of the fault. `broken`: what random frames broke."""

    fault: Fault
    alarms: tuple[Violation, ...]
    figures: Figures
    broken: list[str]
    shown: str = ""

    @property
    def is_missed(self) -> bool:
        """Return whether a frame got through, and the proof was silent."""
        return bool(self.broken) and not self.alarms

    @property
    def is_shown(self) -> bool:
        return bool(self.shown or self.broken)

    @property
    def is_held(self) -> bool:
        """Return whether all alarms are about pieces that conntrack holds; few of them can be shown."""
        return all(map(is_held, self.alarms))

    @property
    def is_false_alarm(self) -> bool:
        return bool(self.alarms) and not self.is_shown and not self.is_held


class Trial:
    """A network of which one fault after the other is caused and undone."""

    def __init__(
        self, case: Case, cast: Cast, network: NetworkUnderTest, wanted: Mapping[str, WireState]
    ) -> None:
        self._case, self._cast, self._network, self._wanted = case, cast, network, wanted
        self._installed = {name: network.installed(name) for name in wanted}
        self._known = {_key(each) for each in self._prove(self._installed).violations}

    def of(self, fault: Fault, seed: int) -> Verdict | None:
        """Return what becomes of a fault; None if the switch refuses it. The fault is undone then."""
        if not fault.cause(self._network):
            self._undo(fault)
            return None
        proof = self._prove({**self._installed, fault.switch: self._network.installed(fault.switch)})
        alarms = tuple(each for each in proof.violations if _key(each) not in self._known)
        chance = Random(seed)
        if alarms and "learn(" in fault.what:
            self._teach(fault, chance)
        confirmation = Confirmation(chance, self._cast, self._network)
        attempts = self._attempts(confirmation, alarms)
        verdict = Verdict(fault, alarms, *self._random_frames(fault, chance, proof))
        self._undo(fault)
        verdict.shown = _shown(confirmation, attempts)
        if verdict.is_false_alarm and fault.preferred != fault and fault.preferred.cause(self._network):
            attempts = self._attempts(confirmation, alarms)
            self._undo(fault)
            verdict.shown = _shown(confirmation, attempts)
        return verdict

    def _teach(self, fault: Fault, chance: Random) -> None:
        """Let a switch learn what a fault makes it learn."""
        near = Near(chance, self._cast, fault.switch, fault.what)
        for _ in range(_STEPS * 2):
            self._network.send(near.step())

    def _prove(self, switches: Mapping[str, WireState]) -> Proof:
        return prove(NetworkState(self._case.policy, switches, self._case.conditions))

    def _attempts(self, confirmation: Confirmation, alarms: tuple[Violation, ...]) -> list[Attempt]:
        """Return frames that arrive as the alarms say; alarms that the proof has replayed come first."""
        likely = sorted(alarms, key=lambda each: not each.is_confirmed)[:_VIOLATIONS]
        found = (attempt for alarm in likely for attempt in islice(confirmation.attempts(alarm), 2))
        return list(islice(found, _ATTEMPTS))

    def _random_frames(self, fault: Fault, chance: Random, proof: Proof) -> tuple[Figures, list[str]]:
        """Send random frames, half of them near the fault; hold them against the proof and the promises."""
        promises = Promises(self._cast, self._case.bypassed, is_faulty=True)
        holds = any(each.claim is Claim.HELD_FRAGMENTS for each in proof.violations)
        foresight = Foresight(proof.arrivals, lets_pieces_out=holds)
        comparison = Comparison(self._cast, self._network, foresight, is_faulty=True)
        traffic = Traffic(chance.randrange(1 << 30), self._cast)
        near = Near(chance, self._cast, fault.switch, fault.what)
        broken = []
        self._network.control.forget_connections()
        # What a switch learns, and which pieces it holds, depends on the packets before.
        steps = _STEPS * 5 if "learn(" in fault.what or holds else _STEPS
        for step in range(steps):
            if step % _STEPS == 0:
                for frame in near.pieces():
                    comparison.take([Outcome(frame, tuple(self._network.send_one(frame)))])
                self._network.let_pieces_expire()
            for frame in near.step() if step % 2 else traffic.step():
                arrivals = tuple(self._network.send_one(frame))
                traffic.hear(arrivals)
                comparison.take([Outcome(frame, arrivals)])
                broken += [why for each in arrivals if (why := promises.broken_by(each))]
        return comparison.figures, broken

    def _undo(self, fault: Fault) -> None:
        self._network.bring_to({fault.switch: self._wanted[fault.switch]})


def _shown(confirmation: Confirmation, attempts: list[Attempt]) -> str:
    """Return the first attempt that needs the fault: without it, nothing arrives."""
    return next((str(each) for each in attempts if not confirmation.still_arrives(each)), "")


def _key(violation: Violation) -> tuple[str, str, str]:
    return violation.claim, violation.sender, violation.receiver
