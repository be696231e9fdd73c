"""Starts parts when they are due, and waits until all are healthy, or reports which one is not and why."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from lab import processes
from lab.component import Component
from lab.errors import UnhealthyError
from lab.network import tail
from lab.processes import Process

_STEP_S = 0.03
_ROUND_S = 0.5  # between two looks at all that runs, healthy or not
_CHECKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Watch:
    """How long to wait (monotonic clock), how to start a part, and what to call when a part is healthy."""

    deadline: float
    start: Callable[[Component], Process]
    tell: Callable[[Component], None]


def await_all(
    parts: Iterable[Component], watch: Watch, beside: Iterable[tuple[Component, Process]] = ()
) -> list[tuple[Component, Process]]:
    """Start `parts`; return their processes once each part has been healthy and all are alive.

    Raise `UnhealthyError` if time runs out, or if one of them, or one `beside` them, dies or keeps crashing.
    """
    known = {part.name: part for part, _ in beside}
    running = {part.name: process for part, process in beside}
    waiting = {part.name: part for part in parts}
    known |= waiting
    problems: dict[str, str] = {name: "not started yet" for name in waiting}
    asking: dict[str, Future[str]] = {}  # each part at its own pace: a slow answer holds up no other part
    looked_at = time.monotonic()
    with ThreadPoolExecutor(_CHECKS_AT_ONCE) as pool:
        while waiting:
            ready = [part for part in waiting.values() if _is_started(part, running, watch)]
            _refuse_broken(ready, running)
            if time.monotonic() - looked_at > _ROUND_S:
                looked_at = time.monotonic()
                _refuse_broken([known[name] for name in running], running)
            for part in ready:
                if part.name not in asking:
                    asking[part.name] = pool.submit(part.check)
                elif asking[part.name].done():
                    problems[part.name] = problem = asking.pop(part.name).result()
                    if not problem:
                        watch.tell(waiting.pop(part.name))
            if waiting and time.monotonic() > watch.deadline:
                raise UnhealthyError(
                    "\n".join(complaint(part, problems[name]) for name, part in waiting.items())
                )
            time.sleep(_STEP_S if waiting else 0)
    _refuse_broken([known[name] for name in running], running)
    return [(known[name], process) for name, process in running.items()]


def _is_started(part: Component, running: dict[str, Process], watch: Watch) -> bool:
    if part.command and part.name not in running:
        if not part.is_due():
            return False
        running[part.name] = watch.start(part)
    return True


def _refuse_broken(parts: list[Component], running: dict[str, Process]) -> None:
    processes.reap()
    deaths = [(part, find_death(part, running.get(part.name))) for part in parts]
    broken = [complaint(part, death) for part, death in deaths if death]
    if broken:
        raise UnhealthyError("\n".join(broken))


def find_death(part: Component, process: Process | None) -> str:
    """Return why a part has died, or why its children die repeatedly; waiting does not help then."""
    if part.command and not (process and process.is_alive):
        return "its program has ended"
    crashes = part.find_crashes()
    return f"it keeps crashing: {crashes}" if crashes else ""


def complaint(part: Component, problem: str) -> str:
    """Name a part, what is wrong with it, and the end of its log."""
    return f"{part.name} is unhealthy: {problem}\n  its log ends:\n{tail(part.log)}"
