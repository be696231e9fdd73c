"""Open vSwitch's database with bridges of an edge, and what `ovs-vsctl` does with a repair's arguments.

Rows are read by the same code as those of the real database.
"""

import json
from collections.abc import Iterable
from typing import Any

from controller.drift.bridge_record import BridgeRecord
from controller.drift.ovsdb import SwitchDatabase
from controller.runtime.events import BridgeRepairEnded, BridgesRead
from tests.world import World

_REFERENCES = {"sflow", "netflow", "ipfix", "mirrors", "controller"}


class FakeDatabase:
    """Bridge `b7` has the datapath id 7, the controller `c7`, and ports with the names of a fake switch."""

    def __init__(self, dpids: Iterable[int], ports: int) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self._created = 0
        for dpid in dpids:
            self._add_bridge(dpid, ports)

    def _add_bridge(self, dpid: int, ports: int) -> None:
        numbers = range(1, ports + 1)
        config = {"datapath-id": f"{dpid:016x}", "disable-in-band": "true"}
        self.put("Controller", f"c{dpid}", target="tcp:127.0.0.1:6653")
        for number in numbers:
            self.put("Interface", f"i{dpid}-{number}", name=f"p{number}", ofport=number)
            self.put("Port", f"p{dpid}-{number}", interfaces=[f"i{dpid}-{number}"])
        self.put(
            "Bridge",
            f"b{dpid}",
            name=f"br{dpid}",
            fail_mode="secure",
            protocols="OpenFlow14",
            other_config=config,
            controller=[f"c{dpid}"],
            ports=[f"p{dpid}-{number}" for number in numbers],
        )

    def put(self, table: str, row: str, **columns: Any) -> None:
        self.rows.setdefault(table, {}).setdefault(row, {}).update(columns)

    def records(self) -> tuple[BridgeRecord, ...]:
        database = SwitchDatabase()
        updates = {
            table: {row: {"new": columns} for row, columns in rows.items()}
            for table, rows in self.rows.items()
        }
        database.receive({"method": "update", "params": [None, updates]})
        return database.bridges(lambda target: target == "tcp:127.0.0.1:6653")

    def change(self, arguments: tuple[str, ...]) -> None:
        """Carry out the commands in one transaction."""
        commands: list[list[str]] = []
        for word in arguments:
            if word == "--":
                commands.append([])
            else:
                commands[-1].append(word)
        created = {words[0].removeprefix("--id="): self._new() for words in commands if "create" in words}
        for words in commands:
            self._carry_out(words, created)

    def _new(self) -> str:
        self._created += 1
        return f"new{self._created}"

    def _carry_out(self, words: list[str], created: dict[str, str]) -> None:
        match words:
            case [name, "create", table, *assignments]:
                row = created[name.removeprefix("--id=")]
                self.put(table, row)
                self._set(self.rows[table][row], assignments, created)
            case ["set", table, row, *assignments]:
                self._set(self.rows[table][row], assignments, created)
            case ["clear", table, row, column]:
                del self.rows[table][row][column]
            case ["remove", table, row, column, value]:
                held = self.rows[table][row][column]
                held.remove(value) if isinstance(held, list) else held.pop(value)
            case ["add", table, row, column, value]:
                self.rows[table][row][column].append(created[value])
            case _:
                raise AssertionError(f"ovs-vsctl does not know {words}")

    def _set(self, row: dict[str, Any], assignments: Iterable[str], created: dict[str, str]) -> None:
        for each in assignments:
            path, _, text = each.partition("=")
            column, _, key = path.replace("other-config", "other_config").partition(":")
            if column == "other_config":
                row[column][key] = text
            elif key:
                row[column][key] = created[text]
            else:
                value = _value(text, created)
                row[column] = [value] if column in _REFERENCES else value


def _value(text: str, created: dict[str, str]) -> Any:
    if text.startswith("@"):
        return created[text]
    is_json = text[:1] in ('"', "[") or text.isdigit() or text in ("true", "false")
    return json.loads(text) if is_json else text


def carry_out_repairs(world: World, database: FakeDatabase, since: int) -> int:
    """Do what the controller has asked `ovs-vsctl` for; return how often it has asked so far."""
    done = since
    while done < len(world.bridges.changes):  # one may lead to the next one
        switch, arguments = world.bridges.changes[done]
        done += 1
        database.change(arguments)
        world.runtime.on(BridgesRead(database.records()))
        world.runtime.on(BridgeRepairEnded(switch, ""))
    return done
