"""Python's garbage collector, for a process whose heap is large, lives long and has no cycles.

With the default thresholds the collector walks over all flows of the policy again and again while the next
policy is compiled: a third of the time of an edit among 1,000 tenants.
"""

import gc

_YOUNG_OBJECTS = 100_000  # new objects between two collections; a request to the API makes a few hundred
_YOUNG_PER_OLDER = 50
_FREEZES_BETWEEN = 100  # then everything is looked through once: cycles can form among frozen objects, too


class GarbageCollector:
    """Call `on_idle` when nothing waits; `heap` is the object that holds most of the memory."""

    def __init__(self) -> None:
        gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_PER_OLDER, _YOUNG_PER_OLDER)
        self._frozen: object = None
        self._freezes = 0

    def on_idle(self, heap: object) -> None:
        """Collect, and exclude what is left from further collections, once for each new `heap`."""
        if heap is self._frozen:
            return
        self._frozen = heap
        self._freezes += 1
        if self._freezes % _FREEZES_BETWEEN == 0:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
