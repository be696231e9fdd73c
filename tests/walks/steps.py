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
from controller.pipeline.fields import Role
from controller.pipeline.flows import Clone, Flow, FlowAction
from controller.pipeline.tables import Table
from controller.policy.model import Policy
from tests.compiler.reach import Probe
from tests.compiler.walk import Arrival, Packet, Walk

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
    """Notes each step once, in the order of its first time."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def note(self, step: str) -> None:
        if step not in self.steps:
            self.steps.append(step)

    @contextmanager
    def calls(self, step_by_place: Mapping[str, str]) -> Iterator[None]:
        """Note a step whenever its function (`module:name`), or any function of its module, is called."""

        def see(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call" and (name := frame.f_code.co_name) != "<module>":
                module = frame.f_globals.get("__name__", "")
                if step := step_by_place.get(f"{module}:{name}") or step_by_place.get(module):
                    self.note(step)

        before = sys.getprofile()
        sys.setprofile(see)
        threading.setprofile(see)
        try:
            yield
        finally:
            threading.setprofile(None)
            sys.setprofile(before)


class TableWalk(Walk):
    """Follows a packet and notes each table that it meets, also those that only a copy of it meets.

    `more` are flows of decisions, beside those of the policy.
    """

    def __init__(self, policy: Policy, note: Callable[[str], None], more: Iterable[Flow] = ()) -> None:
        added = {flow.key: flow for flow in more}
        states = compile_policy(policy).items()
        super().__init__(
            policy, {name: replace(state, flows={**state.flows, **added}) for name, state in states}
        )
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
        if isinstance(action, Clone):
            with suppress(LookupError):  # the copy goes to the controller
                self._carry_out(switch, dict(packet), action.actions, None, ttl)
        return super()._branch(switch, packet, action, ttl)
