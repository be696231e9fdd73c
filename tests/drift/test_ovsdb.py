"""Open vSwitch's database as its server reports it, well and badly."""

import json
from dataclasses import replace
from typing import Any

import pytest

from controller.drift.bridge_facts import from_facts, to_facts
from controller.drift.bridge_record import (
    BridgeController,
    BridgeExport,
    BridgeInterface,
    BridgeRecord,
    LimitedTable,
)
from controller.drift.ovsdb import OvsdbError, SwitchDatabase, monitor_request

NOTHING: list[Any] = ["set", []]
BRIDGE = {
    "name": "s1",
    "datapath_id": "0000000000000001",
    "fail_mode": "secure",
    "protocols": ["set", ["OpenFlow14", "OpenFlow13"]],
    "controller": ["uuid", "c1"],
    "mirrors": NOTHING,
    "sflow": NOTHING,
    "ports": ["set", [["uuid", "p0"], ["uuid", "p1"]]],
    "other_config": ["map", [["datapath-id", "0000000000000002"]]],
}
ROWS: dict[str, Any] = {
    "Bridge": {"b1": {"new": BRIDGE}},
    "Controller": {
        "c1": {"new": {"target": "tcp:127.0.0.1:6653", "connection_mode": NOTHING, "max_backoff": 1000}}
    },
    "Port": {"p0": {"new": {"interfaces": ["uuid", "i0"]}}, "p1": {"new": {"interfaces": ["uuid", "i1"]}}},
    "Interface": {
        "i0": {"new": {"name": "s1", "ofport": 65534, "type": "internal", "options": ["map", []]}},
        "i1": {"new": {"name": "vx", "ofport": 1, "type": "vxlan", "options": ["map", [["psk", "secret"]]]}},
    },
}


def database(rows: dict[str, Any] = ROWS) -> SwitchDatabase:
    read = SwitchDatabase()
    read.receive({"id": 0, "error": None, "result": rows})
    return read


def update(read: SwitchDatabase, **tables: Any) -> None:
    read.receive({"id": None, "method": "update", "params": [None, tables]})


def only(read: SwitchDatabase) -> BridgeRecord:
    (record,) = read.bridges(lambda target: target.endswith(":6653"))
    return record


def test_a_bridge_is_put_together_from_its_rows() -> None:
    record = only(database())
    (tunnel,) = (each for each in record.interfaces if each.name == "vx")
    assert record == BridgeRecord(
        row="b1",
        name="s1",
        dpid=1,
        wrong=(("other_config:disable-in-band", "false"), ("protocols", "OpenFlow13 OpenFlow14")),
        controllers=(BridgeController("tcp:127.0.0.1:6653", "", (("max_backoff", "1000"),), True, "c1"),),
        interfaces=(
            BridgeInterface("vx", 1, "vxlan", tunnel.options),
            BridgeInterface("s1", 65534, "internal"),
        ),
    )


def test_the_secrets_of_a_tunnel_are_neither_kept_nor_shown() -> None:
    record = only(database())
    assert "secret" not in f"{record}{to_facts(record)}"
    changed = database()
    update(
        changed,
        Interface={"i1": {"new": {**ROWS["Interface"]["i1"]["new"], "options": ["map", [["psk", "x"]]]}}},
    )
    assert only(changed).interfaces != record.interfaces


def test_rows_that_come_change_and_go_are_followed() -> None:
    read = database()
    assert read.is_read
    update(
        read,
        Bridge={"b1": {"new": {**BRIDGE, "mirrors": ["uuid", "m1"]}, "old": {}}},
        Mirror={"m1": {"new": {"name": "tap"}}},
    )
    assert only(read).mirrors == ("tap",)
    update(read, Bridge={"b1": {"old": BRIDGE}})
    assert read.bridges(lambda _: False) == ()


def test_the_configured_datapath_id_counts_until_the_switch_reports_its_own() -> None:
    read = database({**ROWS, "Bridge": {"b1": {"new": {**BRIDGE, "datapath_id": NOTHING}}}})
    assert only(read).dpid == 2
    update(read, Bridge={"b1": {"new": {**BRIDGE, "datapath_id": NOTHING, "other_config": ["map", []]}}})
    assert only(read).dpid == 0


def test_an_interface_that_could_not_be_opened_has_no_port() -> None:
    broken = {"name": "vx", "ofport": -1, "type": "", "options": ["map", []]}
    read = database({**ROWS, "Interface": {"i1": {"new": broken}}})
    assert only(read).interfaces == (BridgeInterface("vx", 0),)


GOOD_BRIDGE = {
    **BRIDGE,
    "protocols": "OpenFlow14",
    "stp_enable": False,
    "other_config": ["map", [["disable-in-band", "true"], ["mac-table-size", "50000"]]],
}


def with_bridge(columns: dict[str, Any], **tables: Any) -> BridgeRecord:
    return only(database({**ROWS, "Bridge": {"b1": {"new": {**GOOD_BRIDGE, **columns}}}, **tables}))


def test_a_bridge_that_is_set_up_well_has_no_wrong_settings() -> None:
    assert with_bridge({}).wrong == ()


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ({"fail_mode": NOTHING}, ("fail_mode", "standalone")),
        ({"fail_mode": "standalone"}, ("fail_mode", "standalone")),
        ({"protocols": NOTHING}, ("protocols", "every version")),
        ({"protocols": ["set", ["OpenFlow14", "OpenFlow10"]]}, ("protocols", "OpenFlow10 OpenFlow14")),
        ({"other_config": ["map", []]}, ("other_config:disable-in-band", "false")),
        ({"other_config": ["map", [["disable-in-band", "no"]]]}, ("other_config:disable-in-band", "no")),
        ({"stp_enable": True}, ("stp_enable", "true")),
        ({"rstp_enable": True}, ("rstp_enable", "true")),
        ({"mcast_snooping_enable": True}, ("mcast_snooping_enable", "true")),
        (
            {"other_config": ["map", [["disable-in-band", "true"], ["forward-bpdu", "true"]]]},
            ("other_config:forward-bpdu", "true"),
        ),
    ],
)
def test_a_setting_that_no_bridge_may_have_is_wrong(columns: dict[str, Any], wrong: tuple[str, str]) -> None:
    assert with_bridge(columns).wrong == (wrong,)


def test_a_table_with_a_name_and_no_limit_is_not_limited() -> None:
    tables = {
        "f0": {"new": {"name": "admission", "flow_limit": NOTHING, "groups": NOTHING, "prefixes": "ip_dst"}},
        "f1": {"new": {"name": NOTHING, "flow_limit": 10, "overflow_policy": "evict", "groups": NOTHING}},
    }
    record = with_bridge(
        {"flow_tables": ["map", [[0, ["uuid", "f0"]], [1, ["uuid", "f1"]]]]}, Flow_Table=tables
    )
    assert record.limited_tables == (
        LimitedTable(1, "", (("flow_limit", "10"), ("overflow_policy", "evict"))),
    )


def test_an_export_holds_its_whole_row() -> None:
    row = {"targets": ["set", ["192.0.2.9:6343", "192.0.2.8:6343"]], "sampling": 64, "agent": NOTHING}
    record = with_bridge({"sflow": ["uuid", "x1"]}, sFlow={"x1": {"new": row}})
    assert record.exports == (
        BridgeExport("sflow", (("targets", '["192.0.2.9:6343","192.0.2.8:6343"]'), ("sampling", "64"))),
    )


def test_what_an_owner_has_written_beside_an_export_is_kept_and_not_compared() -> None:
    def export(owner: str) -> BridgeExport:
        row = {"targets": "192.0.2.9:2055", "external_ids": ["map", [["owner", owner]]]}
        (found,) = with_bridge({"netflow": ["uuid", "x1"]}, NetFlow={"x1": {"new": row}}).exports
        return found

    assert export("noc").labels == (("external_ids", '{"owner"=noc}'),)
    assert export("noc") == export("others")
    assert export("noc").settings == (("targets", '"192.0.2.9:2055"'),)


def test_all_columns_of_a_controller_are_kept_except_what_it_may_not_have() -> None:
    row = {
        **{"target": "tcp:127.0.0.1:6653", "connection_mode": "in-band", "enable_async_messages": False},
        **{"local_ip": "192.0.2.4", "controller_rate_limit": 200, "external_ids": ["map", [["a", "b"]]]},
        **{"other_config": ["map", [["dscp", "40"]]], "inactivity_probe": 0},
    }
    (own,) = with_bridge({}, Controller={"c1": {"new": row}}).controllers
    assert own.wrong == (("enable_async_messages", "false"),)
    assert dict(own.settings) == {
        **{"inactivity_probe": "0", "local_ip": '"192.0.2.4"', "controller_rate_limit": "200"},
        **{"other_config": '{"dscp"="40"}', "external_ids": '{"a"=b}'},
    }


def test_managers_of_the_machine_belong_to_each_of_its_bridges() -> None:
    tables = {
        "Open_vSwitch": {"o": {"new": {"manager_options": ["uuid", "m"]}}},
        "Manager": {"m": {"new": {"target": "ptcp:6640"}}},
    }
    assert with_bridge({}, **tables).managers == ("ptcp:6640",)


def settings_of_port(port: dict[str, Any], interface: dict[str, Any], **tables: Any) -> dict[str, str]:
    rows = {
        "Port": {"p1": {"new": {"interfaces": ["uuid", "i1"], **port}}},
        "Interface": {"i1": {"new": {**ROWS["Interface"]["i1"]["new"], **interface}}},
    }
    (found,) = with_bridge({}, **rows, **tables).interfaces
    return dict(found.settings)


def test_settings_of_a_port_that_are_set_are_read_and_defaults_are_not() -> None:
    assert settings_of_port({"tag": NOTHING, "protected": False}, {"ingress_policing_rate": 0}) == {}
    assert settings_of_port(
        {"tag": 0, "trunks": ["set", [1, 2]], "vlan_mode": "access"},
        {"ingress_policing_rate": 1, "bfd": ["map", [["enable", "true"]]]},
    ) == {
        "tag": "0",
        "trunks": "[1,2]",
        "vlan_mode": "access",
        "ingress_policing_rate": "1",
        "bfd": '{"enable"="true"}',
    }


def test_the_queues_of_a_port_are_compared_down_to_their_rates() -> None:
    def qos(rate: str) -> str:
        return settings_of_port(
            {"qos": ["uuid", "q"]},
            {},
            QoS={"q": {"new": {"type": "linux-htb", "queues": ["map", [[0, ["uuid", "u"]]]]}}},
            Queue={"u": {"new": {"dscp": NOTHING, "other_config": ["map", [["max-rate", rate]]]}}},
        )["qos"]

    assert qos("1000") == qos("1000") != qos("1")


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ({"type": "primary", "enable_async_messages": True}, ()),
        ({"type": "service"}, (("type", "service"),)),
        ({"enable_async_messages": False}, (("enable_async_messages", "false"),)),
    ],
)
def test_settings_with_which_this_controller_is_not_told_of_ports_are_wrong(
    columns: dict[str, Any], wrong: tuple[tuple[str, str], ...]
) -> None:
    row = {"target": "tcp:127.0.0.1:6653", **columns}
    assert with_bridge({}, Controller={"c1": {"new": row}}).controllers[0].wrong == wrong
    row["target"] = "tcp:192.0.2.9:6699"
    assert with_bridge({}, Controller={"c1": {"new": row}}).controllers[0].wrong == ()


def test_an_echo_is_answered() -> None:
    reply = SwitchDatabase().receive({"method": "echo", "params": ["x"], "id": "echo"})
    assert reply is not None
    assert json.loads(reply) == {"result": ["x"], "error": None, "id": "echo"}


@pytest.mark.parametrize(
    "message",
    [
        {"id": 0, "error": "unknown database", "result": None},
        {"id": 0, "error": None, "result": {"Bridge": []}},
        {"id": 0, "error": None, "result": {"Strange": {"b": {"new": {}}}}},
        {"method": "update", "params": [None, {"Bridge": {"b1": None}}]},
        {"method": "update", "params": [None, {"Bridge": {"b1": {"new": [1]}}}]},
    ],
)
def test_what_is_not_the_protocol_is_refused(message: object) -> None:
    with pytest.raises(OvsdbError):
        SwitchDatabase().receive(message)


@pytest.mark.parametrize("message", [None, 7, [], {}, {"id": 5, "result": 1}, {"method": "update"}])
def test_what_does_not_concern_the_bridges_is_passed_over(message: object) -> None:
    read = database()
    assert read.receive(message) is None
    assert only(read).name == "s1"


@pytest.mark.parametrize(
    "strange",
    [
        {"name": ["set", []], "ports": 7, "controller": [["uuid", "none"]], "protocols": ["map", []]},
        {"datapath_id": "not hexadecimal", "other_config": ["set", []]},
        {"name": "x" * 10_000},
        {},
    ],
)
def test_a_strange_row_is_a_strange_bridge_and_no_crash(strange: dict[str, Any]) -> None:
    assert len(only(database({"Bridge": {"b1": {"new": strange}}})).name) <= 200


def test_a_database_that_never_ends_is_refused() -> None:
    rows = {f"i{number}": {"new": {"name": "x"}} for number in range(200_001)}
    with pytest.raises(OvsdbError, match="more than 200000 rows"):
        database({"Interface": rows})


def test_only_columns_that_matter_are_asked_for() -> None:
    """Counters and the state of a connection change all the time."""
    (_, _, wanted) = json.loads(monitor_request())["params"]
    columns = {column for table in wanted.values() for column in table["columns"]}
    assert columns & {"statistics", "status", "is_connected", "role", "link_state"} == set()


def test_what_was_remembered_is_read_back() -> None:
    record = replace(
        only(database()),
        exports=(BridgeExport("ipfix", (("targets", "[]"),), (("external_ids", "{}"),)),),
        managers=("ptcp:6640",),
        unaccepted=("controller x",),
        datapath_type="netdev",
        wrong=(),
    )
    kept = from_facts(json.loads(json.dumps(to_facts(record))))
    assert kept == replace(record, controllers=(replace(record.controllers[0], row=""),))
    assert kept.labels == ((("external_ids", "{}"),),)


def test_an_export_that_a_release_without_labels_has_remembered_is_read_back() -> None:
    facts = {**to_facts(BridgeRecord("b", "s", 1)), "exports": [["sflow", [["sampling", "64"]]]]}
    assert from_facts(facts).exports == (BridgeExport("sflow", (("sampling", "64"),)),)


@pytest.mark.parametrize(
    "facts", [{}, {"row": "b1"}, {**to_facts(BridgeRecord("b", "s", 1)), "controllers": [[1]]}]
)
def test_what_cannot_be_read_back_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(OvsdbError):
        from_facts(facts)
