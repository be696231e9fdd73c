"""Names that rules refer to: which ones a file defines, and whether each is of the right kind."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from common.config.kinds import listed, suggestion
from common.config.report import ErrorReport
from controller.policy.model import PoolKind


@dataclass(frozen=True)
class KnownNames:
    """The names that the file defines. Those of broken records count, so that they are not `unknown`."""

    switches: frozenset[str]
    pools: Mapping[str, PoolKind | None]


def check_pool(path: str, name: str, kind: PoolKind, known: KnownNames, report: ErrorReport) -> None:
    """Report what is wrong with a reference to a pool of some kind."""
    if name not in known.pools:
        names = list(known.pools)
        remedy = f"add it under `pools`, or use one of {listed(names) or 'none yet'}{suggestion(name, names)}"
        report.add(path, f"no pool is named {name}", remedy)
    elif known.pools[name] not in (kind, None):
        report.add(path, f"pool {name} is of kind {known.pools[name]}", f"name a pool of kind {kind}")


def check_distinct(report: ErrorReport, used: Iterable[tuple[str, Hashable]], what: str) -> None:
    """Report each further user of a thing, and name the first; in the order of the file."""
    in_file_order = sorted(used, key=lambda user: (report.place(user[0]).line, report.place(user[0]).column))
    first_by_thing: dict[Hashable, str] = {}
    for path, thing in in_file_order:
        first = first_by_thing.setdefault(thing, path)
        if first is not path:
            report.add(path, f"{what} {thing} is already used by {report.line(first)}", f"use another {what}")
