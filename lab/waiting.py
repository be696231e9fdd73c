"""Starts parts when they are due, and waits until all are well, or says exactly which is not and why."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import processes
from lab.errors import LabError
from lab.network import tail
from lab.part import Part
from lab.processes import Process

_STEP_S = 0.05
_CHECKS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Watch:
    """Until when to wait (monotonic clock), how to start a part, and whom to tell that one is well."""

    deadline: float
    start: Callable[[Part], Process]
    tell: Callable[[Part], None]


def await_all(parts: Iterable[Part], watch: Watch) -> None:
    """Start `parts` and return when every one is well. Raise `LabError` if one dies or time runs out."""
    left = list(parts)
    running: dict[str, Process] = {}
    problems: dict[str, str] = {part.name: "not started yet" for part in left}
    with ThreadPoolExecutor(_CHECKS_AT_ONCE) as pool:
        while left:
            ready = [part for part in left if _is_started(part, running, watch)]
            _refuse_dead(ready, running)
            for part, problem in zip(ready, pool.map(lambda part: part.check(), ready), strict=True):
                problems[part.name] = problem
                if not problem:
                    watch.tell(part)
            left = [part for part in left if problems[part.name]]
            if left and time.monotonic() > watch.deadline:
                raise LabError("\n".join(_complaint(part, problems[part.name]) for part in left))
            time.sleep(_STEP_S if left else 0)


def _is_started(part: Part, running: dict[str, Process], watch: Watch) -> bool:
    if part.command and part.name not in running:
        if not part.is_due():
            return False
        running[part.name] = watch.start(part)
    return True


def _refuse_dead(parts: list[Part], running: dict[str, Process]) -> None:
    processes.reap()
    dead = [part for part in parts if part.command and not running[part.name].is_alive]
    if dead:
        raise LabError("\n".join(_complaint(part, "it ended by itself") for part in dead))


def _complaint(part: Part, problem: str) -> str:
    return f"{part.name} is not well: {problem}\n  its log ends:\n{tail(part.log)}"
