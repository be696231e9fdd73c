"""Automatic immunity: watches what decoys capture, and makes signatures from it if the mode allows."""

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from common.journal.journal import Report
from common.wire.antivirus import Immunity
from services.antivirus.builder import immunity
from services.antivirus.builder.corpus import CorpusError
from services.antivirus.builder.events import BuilderEvent
from services.antivirus.builder.immunity import LARGEST_BYTES, NotImmunized
from services.antivirus.builder.publisher import NotPublished, Publisher
from services.antivirus.builder.store import StoreError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_REMEMBERED = 100_000
_MOST_AT_ONCE = 20
_SETTLED_S = 1.0  # a file that may still be growing is skipped
_REASON = "captured by a decoy"


def _is_whole(fact: os.stat_result) -> bool:
    return time.time() - fact.st_mtime >= _SETTLED_S and fact.st_size <= LARGEST_BYTES


@dataclass
class Watch:
    """Checks the captures, one round at a time. A refused capture is not tried again."""

    publisher: Publisher
    captures: tuple[Path, ...]
    mode: Immunity
    report: Report
    _seen: dict[str, None] = field(default_factory=dict)

    def look(self) -> int:
        """Process new captures; return the generation that was published, or 0."""
        if self.mode is Immunity.OFF or not (fresh := self._fresh()):
            return 0
        store = self.publisher.store
        try:
            caught = tuple(each for digest in fresh for each in immunity.caught_in(digest, self.captures))
            caught = immunity.guard(caught, self.publisher.corpus, store.entries())
        except (NotImmunized, StoreError, CorpusError, OSError) as error:
            self._refuse(len(fresh), str(error), f"{len(fresh)} captured")
            return 0
        if not caught:
            return 0
        names = [each.name for each in caught]
        listed = ", ".join(names)
        if self.mode is Immunity.SIMULATE:
            store.note("simulated", f"would publish {listed}")
            self.report(BuilderEvent.CAPTURES_SIMULATED, signatures=names)
            return 0
        try:
            number = immunity.immunize(self.publisher, caught, _REASON)
        except StoreError as error:  # another process is publishing: try again
            self.report(BuilderEvent.BUILD_DELAYED, reason=str(error))
            for digest in fresh:
                self._seen.pop(digest, None)
            return 0
        except (NotImmunized, NotPublished) as error:
            self._refuse(len(names), str(error), listed)
            return 0
        store.note("immunized", f"{listed}: generation {number} on all rings")
        self.report(BuilderEvent.CAPTURES_IMMUNIZED, signatures=names, generation=number)
        return number

    def _fresh(self) -> list[str]:
        found: list[str] = []
        for directory in self.captures:
            try:
                paths = [path for path in directory.iterdir() if _DIGEST.fullmatch(path.name)]
                facts = [(path.name, path.stat()) for path in paths if path.name not in self._seen]
            except OSError:
                continue
            for name, fact in facts:
                if len(found) < _MOST_AT_ONCE and _is_whole(fact):
                    found.append(name)
                    self._seen[name] = None
        while len(self._seen) > _MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return found

    def _refuse(self, count: int, reason: str, what: str) -> None:
        self.publisher.store.note("not immunized", f"{what}: {reason}")
        self.report(BuilderEvent.CAPTURES_NOT_IMMUNIZED, count=count, reason=reason)
