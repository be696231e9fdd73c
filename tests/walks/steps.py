"""The steps of a walk in docs/architecture.md, and how a test records the same steps in the code.

A numbered step of a walk begins with one or more names in backticks, before its colon. A test records these
names in the order in which the code gets there, and compares.
"""

import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from controller.compiler.compile import compile_policy
from controller.compiler.neighbours import neighbours_of
from controller.openflow.encode import flow_to_wire
from controller.pipeline.fields import Role
from controller.pipeline.flows import Clone, Flow, FlowAction, Resubmit, SwitchState
from controller.pipeline.tables import Table
from controller.policy.model import Policy
from controller.sync.state import WireFlow
from tests.compiler.reach import Probe
from tests.compiler.walk import Arrival, Packet, Walk
from tests.fake_switch import FakeSwitch

_PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
_STEP = re.compile(r"^\d+\. ((?:`[\w ]+`(?:, )?)+):", re.MULTILINE)


def documented(walk: str) -> list[str]:
    """Return the names of all steps under the heading `walk`, in their order."""
    _, _, rest = _PAGE.read_text(encoding="utf-8").partition(f"\n## {walk}\n")
    section = rest.partition("\n## ")[0]
    steps = re.findall(r"^\d+\. ", section, re.MULTILINE)
    named = _STEP.findall(section)
    assert steps and len(steps) == len(named), f"every step of {walk!r} begins with a name in backticks"
    return [name for names in named for name in re.findall(r"`([\w ]+)`", names)]


class Recorder:
    """Notes each step once, in the order of its first time. `first`: nothing is noted before that step."""

    def __init__(self, first: str = "") -> None:
        self.steps: list[str] = []
        self._first = first

    def note(self, step: str) -> None:
        has_begun = bool(self.steps) or self._first in ("", step)
        if has_begun and step not in self.steps:
            self.steps.append(step)

    @contextmanager
    def calls(
        self, step_by_place: Mapping[str, str], step_by_answer: Mapping[str, str] | None = None
    ) -> Iterator[None]:
        """Note a step whenever its function (`module:name`), or any function of its module, is called.

        A step of `step_by_answer` is noted when its function returns; `no STEP`, if it returns nothing.
        """
        answers = step_by_answer or {}

        def see(frame: FrameType, event: str, argument: object) -> None:
            name, module = frame.f_code.co_name, frame.f_globals.get("__name__", "")
            if event == "call" and name != "<module>":
                self._note_found(step_by_place.get(f"{module}:{name}") or step_by_place.get(module))
            elif event == "return" and (step := answers.get(f"{module}:{name}")):
                self.note(step if argument is not None else f"no {step}")

        before = sys.getprofile()
        sys.setprofile(see)
        threading.setprofile(see)
        try:
            yield
        finally:
            threading.setprofile(None)
            sys.setprofile(before)

    def _note_found(self, step: str | None) -> None:
        if step:
            self.note(step)


def held_by(switch: FakeSwitch, state: SwitchState, more: Iterable[Flow]) -> SwitchState:
    """Return what a switch holds of a state and of `more` flows. It must hold nothing else."""
    asked = (*state.flows.values(), *more)
    flows = {flow.key: flow for flow in asked if _is_held(switch, flow_to_wire(flow))}
    assert len(flows) == len(switch.tables.flows), "every flow of the switch is known"
    groups = {number: group for number, group in state.groups.items() if number in switch.tables.groups}
    return replace(state, flows=flows, groups=groups)


def _is_held(switch: FakeSwitch, wanted: WireFlow) -> bool:
    held = switch.tables.flows.get((wanted.key.table, wanted.key.priority, wanted.key.fields))
    return held is not None and (held.cookie, held.instructions) == (wanted.cookie, wanted.instructions)


class TableWalk(Walk):
    """Follows a packet and notes each table that it meets, also those that only a copy of it meets.

    `states`: what the switches hold; without it, what the policy compiles to.
    """

    def __init__(
        self,
        policy: Policy,
        note: Callable[[str], None],
        states: Mapping[str, SwitchState] | None = None,
    ) -> None:
        super().__init__(policy, states or compile_policy(policy))
        self._policy, self._note = policy, note

    def reached(self, probe: Probe, sender: str = "") -> set[str]:
        """Return the neighbours that a packet from one of them, or from the backbone, may be handed to."""
        neighbours = tuple(neighbours_of(self._policy))
        chosen = (n for n in neighbours if n.path == sender or (not sender and n.role is Role.BACKBONE))
        first = next(chosen)
        (own_mac,) = (switch.mac for switch in self._policy.switches if switch.name == first.at.switch)
        packet = probe.fields(first.mac, int(own_mac.replace(":", ""), 16))
        hops = {each.next_hop for each in self.arrivals(first.at, packet)}
        return {each.path for each in neighbours if each.mac in hops}

    def _look_up(self, switch: str, table: Table, packet: Packet, ttl: int) -> set[Arrival]:
        self._note(table.label)
        return super()._look_up(switch, table, packet, ttl)

    def _branch(self, switch: str, packet: Packet, action: FlowAction, ttl: int) -> set[Arrival]:
        if action == Clone((Resubmit(Table.SAMPLE),)):
            with suppress(LookupError):  # the copy goes to the controller
                self._carry_out(switch, dict(packet), (Resubmit(Table.SAMPLE),), None, ttl)
        return super()._branch(switch, packet, action, ttl)
