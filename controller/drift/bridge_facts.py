"""A bridge as JSON values for the store, and back. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.drift.bridge_record import (
    BridgeController,
    BridgeExport,
    BridgeInterface,
    BridgeRecord,
    ColumnValues,
)
from controller.drift.ovsdb import OvsdbError


def to_facts(record: BridgeRecord) -> dict[str, Any]:
    """Return what a bridge is compared with later. What every bridge must be is not remembered."""
    return {
        "row": record.row,
        "name": record.name,
        "dpid": record.dpid,
        "datapath_type": record.datapath_type,
        "exports": [[each.kind, _pairs(each.settings), _pairs(each.labels)] for each in record.exports],
        "managers": list(record.managers),
        "unaccepted": list(record.unaccepted),
        "controllers": [
            [each.target, each.mode, _pairs(each.settings), each.is_own] for each in record.controllers
        ],
        "interfaces": [
            [each.name, each.number, each.kind, each.options, _pairs(each.settings)]
            for each in record.interfaces
        ],
    }


def from_facts(facts: Mapping[str, Any]) -> BridgeRecord:
    """Read what `to_facts` has written. Raise `OvsdbError`."""
    try:
        return BridgeRecord(
            row=str(facts["row"]),
            name=str(facts["name"]),
            dpid=int(facts["dpid"]),
            datapath_type=str(facts["datapath_type"]),
            exports=tuple(
                BridgeExport(str(kind), _settings(pairs), _settings(labels[0] if labels else ()))
                for kind, pairs, *labels in facts["exports"]  # earlier releases have kept no labels
            ),
            managers=_strings(facts["managers"]),
            unaccepted=_strings(facts["unaccepted"]),
            controllers=tuple(
                BridgeController(str(target), str(mode), _settings(pairs), bool(own))
                for target, mode, pairs, own in facts["controllers"]
            ),
            interfaces=tuple(
                BridgeInterface(str(name), int(number), str(kind), str(options), _settings(pairs))
                for name, number, kind, options, pairs in facts["interfaces"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OvsdbError(f"a remembered bridge cannot be read: {error!r}") from error


def _pairs(settings: ColumnValues) -> list[list[str]]:
    return [list(pair) for pair in settings]


def _settings(pairs: Iterable[Any]) -> ColumnValues:
    return tuple((str(column), str(value)) for column, value in pairs)


def _strings(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, values))
