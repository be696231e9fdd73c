"""The garbage collector of the controller: what it looks at again and again, and what no more.

Each test has a process of its own, since it takes long to look at all objects of a long test run.
"""

import gc
import subprocess
import sys
from collections.abc import Callable

from apps.garbage import GarbageCollector


class Knot:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.me = self


def in_a_fresh_process(test: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        call = f"from tests.common.test_garbage import {test.__name__} as run; run.test()"
        subprocess.run([sys.executable, "-c", call], check=True, timeout=60)

    run.test = test  # type: ignore[attr-defined]
    return run


def knots() -> int:
    return sum(isinstance(each, Knot) for each in gc.get_objects())


@in_a_fresh_process
def test_young_objects_are_not_collected_in_the_midst_of_an_edit() -> None:
    GarbageCollector()
    assert gc.get_threshold()[0] >= 100_000


@in_a_fresh_process
def test_a_new_heap_is_excluded_once_it_is_idle() -> None:
    collector = GarbageCollector()
    collector.on_idle(object())
    first = gc.get_freeze_count()
    assert first > 1_000
    kept = [[] for _ in range(1_000)]  # type: ignore[var-annotated]
    collector.on_idle(kept)
    assert gc.get_freeze_count() >= first + 1_000


@in_a_fresh_process
def test_the_same_heap_is_not_looked_at_again() -> None:
    collector, heap = GarbageCollector(), object()
    collector.on_idle(heap)
    Knot()
    collector.on_idle(heap)
    assert knots() == 1


@in_a_fresh_process
def test_garbage_is_collected_and_not_kept_for_ever() -> None:
    collector = GarbageCollector()
    Knot()
    collector.on_idle(object())
    gc.unfreeze()
    assert knots() == 0


@in_a_fresh_process
def test_what_became_garbage_after_it_was_excluded_is_found_in_the_end() -> None:
    collector, knot = GarbageCollector(), Knot()
    collector.on_idle(object())
    del knot
    for _ in range(99):
        collector.on_idle(object())
    gc.unfreeze()
    assert knots() == 0
