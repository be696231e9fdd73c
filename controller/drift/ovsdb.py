"""Open vSwitch's database as it is reported (RFC 7047): rows, and the bridges that they describe. Pure."""

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from controller.drift.bridge_record import (
    BridgeController,
    BridgeExport,
    BridgeInterface,
    BridgeRecord,
    LimitedTable,
    settings_in,
)
from controller.drift.bridge_repair import EXPORT_TABLES
from controller.drift.bridge_settings import (
    BRIDGE_COLUMNS,
    limited_tables,
    wrong_controller_settings,
    wrong_settings,
)
from controller.drift.port_settings import INTERFACE_COLUMNS, PORT_COLUMNS, QOS, port_settings

Row = Mapping[str, Any]
_SETTINGS = (  # of a controller: they are restored with it
    *("inactivity_probe", "max_backoff", "type", "enable_async_messages", "local_ip", "local_netmask"),
    *("local_gateway", "controller_rate_limit", "controller_burst_limit", "controller_queue_size"),
    *("other_config", "external_ids"),
)
_LABELS = "external_ids"  # of an export: restored with it, not compared
_COLUMNS = {
    "Open_vSwitch": ("manager_options",),
    "Manager": ("target",),
    "Bridge": (
        *("name", "datapath_id", "datapath_type", "controller", "mirrors", "ports", "flow_tables"),
        *EXPORT_TABLES,
        *BRIDGE_COLUMNS,
    ),
    "Controller": ("target", "connection_mode", *_SETTINGS),
    "Flow_Table": ("name", "flow_limit", "overflow_policy", "groups"),
    "Port": ("interfaces", *PORT_COLUMNS),
    "QoS": ("type", "queues", "other_config"),
    "Queue": ("dscp", "other_config"),
    "Interface": ("name", "ofport", "type", "options", *INTERFACE_COLUMNS),
    "Mirror": ("name",),
    "NetFlow": (_LABELS, "targets", "engine_type", "engine_id", "add_id_to_interface", "active_timeout"),
    "sFlow": (_LABELS, "targets", "sampling", "polling", "header", "agent"),
    "IPFIX": (
        *("targets", "sampling", "obs_domain_id", "obs_point_id", "cache_active_timeout", "cache_max_flows"),
        *("other_config", _LABELS),
    ),
}
_LONGEST_TEXT = 200
_MOST_ROWS = 200_000


class OvsdbError(Exception):
    """What the database sent is not RFC 7047's, or is too much; the text says what."""


def monitor_request() -> bytes:
    """Return the request to report the tables from now on (RFC 7047, 4.1.5)."""
    wanted = {table: {"columns": list(columns)} for table, columns in _COLUMNS.items()}
    return json.dumps({"method": "monitor", "params": ["Open_vSwitch", None, wanted], "id": 0}).encode()


def echo_request() -> bytes:
    return json.dumps({"method": "echo", "params": [], "id": "echo"}).encode()


class SwitchDatabase:
    """The monitored rows; `receive` takes messages in their order. `is_read`: all rows are known."""

    def __init__(self) -> None:
        self.is_read = False
        self._rows: dict[str, dict[str, Row]] = {table: {} for table in _COLUMNS}

    def receive(self, message: object) -> bytes | None:
        """Take a message; return the reply if it needs one. Raise `OvsdbError`."""
        match message:
            case {"method": "update", "params": [_, dict(updates)]}:
                self._apply(updates)
            case {"method": "echo", "params": params, "id": number}:
                return json.dumps({"result": params, "error": None, "id": number}).encode()
            case {"id": 0, "error": None, "result": dict(updates)}:
                self._apply(updates)
                self.is_read = True
            case {"id": 0, "error": error}:
                raise OvsdbError(f"the database cannot be monitored: {str(error)[:_LONGEST_TEXT]}")
        return None

    def bridges(self, is_own: Callable[[str], bool]) -> tuple[BridgeRecord, ...]:
        """Return all bridges, by name. `is_own` says whether a controller's target is this controller."""
        found = (self._bridge(row, bridge, is_own) for row, bridge in self._rows["Bridge"].items())
        return tuple(sorted(found, key=lambda each: (each.name, each.row)))

    def _apply(self, updates: Mapping[str, Any]) -> None:
        try:
            for table, rows in updates.items():
                for row, change in rows.items():
                    if (new := change.get("new")) is None:
                        self._rows[table].pop(row, None)
                    else:
                        self._rows[table][row] = {column: plain(value) for column, value in new.items()}
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise OvsdbError(f"the database sent an update that is not valid: {error!r}") from error
        if sum(map(len, self._rows.values())) > _MOST_ROWS:
            raise OvsdbError(f"the database has more than {_MOST_ROWS} rows about bridges")

    def _bridge(self, row: str, bridge: Row, is_own: Callable[[str], bool]) -> BridgeRecord:
        mirrors = (_text(each.get("name")) for _, each in self._referred("Mirror", bridge.get("mirrors")))
        return BridgeRecord(
            row=row,
            name=_text(bridge.get("name")),
            dpid=_dpid(bridge),
            wrong=wrong_settings(bridge),
            datapath_type=_text(bridge.get("datapath_type")),
            controllers=tuple(sorted(self._controllers(bridge, is_own), key=lambda each: each.key)),
            mirrors=tuple(sorted(mirrors)),
            exports=tuple(self._exports(bridge)),
            limited_tables=self._limited_tables(bridge),
            managers=self._managers(),
            interfaces=tuple(sorted(self._interfaces(bridge), key=lambda each: (each.number, each.name))),
        )

    def _controllers(self, bridge: Row, is_own: Callable[[str], bool]) -> Iterator[BridgeController]:
        for row, found in self._referred("Controller", bridge.get("controller")):
            target = _text(found.get("target"))
            mode, own = _text(found.get("connection_mode")), is_own(target)
            wrong = wrong_controller_settings(found) if own else ()
            every = settings_in({each: found.get(each) for each in _SETTINGS})
            settings = tuple(each for each in every if each not in wrong)
            yield BridgeController(target, mode, settings, own, row, wrong)

    def _exports(self, bridge: Row) -> Iterator[BridgeExport]:
        for kind, table in EXPORT_TABLES.items():
            for _, row in self._referred(table, bridge.get(kind)):
                columns = {each: row.get(each) for each in _COLUMNS[table]}
                labels = settings_in({_LABELS: columns.pop(_LABELS)})
                yield BridgeExport(kind, settings_in(columns), labels)

    def _limited_tables(self, bridge: Row) -> tuple[LimitedTable, ...]:
        tables = bridge.get("flow_tables")
        if not isinstance(tables, dict):
            return ()
        rows = (
            (number, row) for number, each in tables.items() for _, row in self._referred("Flow_Table", each)
        )
        return limited_tables({int(number): row for number, row in rows if number.isdigit()})

    def _managers(self) -> tuple[str, ...]:
        rows = (each.get("manager_options") for each in self._rows["Open_vSwitch"].values())
        found = (_text(each.get("target")) for refs in rows for _, each in self._referred("Manager", refs))
        return tuple(sorted(found))

    def _interfaces(self, bridge: Row) -> Iterator[BridgeInterface]:
        for port_row, port in self._referred("Port", bridge.get("ports")):
            if port.get(QOS):
                port = {**port, QOS: self._qos(port)}
            for row, each in self._referred("Interface", port.get("interfaces")):
                number, options = each.get("ofport"), each.get("options")
                yield BridgeInterface(
                    _text(each.get("name")),
                    number if isinstance(number, int) and number > 0 else 0,
                    _text(each.get("type")),
                    _digest(options) if options else "",
                    port_settings(port, each),
                    row,
                    port_row,
                )

    def _qos(self, port: Row) -> str:
        """Return a digest of what a port's queues do; empty: it has none."""
        for _, row in self._referred("QoS", port.get(QOS)):
            queues = row.get("queues")
            numbered = queues.items() if isinstance(queues, dict) else ()
            rows = {number: self._rows["Queue"].get(str(each)) for number, each in numbered}
            return f"queues-{_digest([row.get('type'), row.get('other_config'), rows])}"
        return ""

    def _referred(self, table: str, references: Any) -> Iterator[tuple[str, Row]]:
        """Yield the rows that a column names. One that this client may not see is left out."""
        for each in as_list(references):
            if isinstance(each, str) and (row := self._rows[table].get(each)):
                yield each, row


def plain(value: Any) -> Any:
    """Return a column's value in plain Python: a set as a list, a map as a dict, a reference as its text.

    A set with one element is written like the element itself (RFC 7047, 5.1).
    """
    match value:
        case ["set", list(elements)]:
            return [plain(each) for each in elements]
        case ["map", list(pairs)]:
            return {str(key): plain(value) for key, value in pairs}
        case ["uuid" | "named-uuid", str(row)]:
            return row
    return value


def as_list(value: Any) -> list[Any]:
    """Return the elements of a column that holds a set."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, list):  # an empty set: not configured
        value = value[0] if value else ""
    return str("" if value is None else value)[:_LONGEST_TEXT]


def _dpid(bridge: Row) -> int:
    """Return the datapath id that the switch reports, or the one that is configured; 0: none is known yet."""
    for text in (_text(bridge.get("datapath_id")), _configured_dpid(bridge)):
        try:
            return int(text, 16)
        except ValueError:
            continue
    return 0


def _configured_dpid(bridge: Row) -> str:
    config = bridge.get("other_config")
    return str(config.get("datapath-id", "")) if isinstance(config, dict) else ""


def _digest(options: Any) -> str:
    return blake2b(json.dumps(options, sort_keys=True).encode(), digest_size=8).hexdigest()
