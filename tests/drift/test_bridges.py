"""What is wrong with a bridge, and what is given to ovs-vsctl. The real switch is in tests/ovs."""

import shlex
from dataclasses import replace

import pytest

from controller.drift.bridge_record import (
    BridgeController,
    BridgeExport,
    BridgeInterface,
    BridgeRecord,
    LimitedTable,
    WatchedBridge,
)
from controller.drift.bridge_repair import build_repair
from controller.drift.bridge_settings import BRIDGE_SETTINGS, BridgeSetting
from controller.drift.bridges import compare, find, learn, learn_at_first_sight
from controller.drift.model import OF_BRIDGES, Difference
from controller.policy.model import PortRef
from controller.topology.ports import PortUse

OURS = BridgeController("tcp:127.0.0.1:6653", settings=(("max_backoff", "1000"),), is_own=True, row="c1")
OTHER = BridgeController("tcp:192.0.2.9:6653", row="c2")
PORTS = {number: PortUse(PortRef("s1", number), f"host{number}", rule=f"hosts.{number}") for number in (1, 2)}
LOCAL = BridgeInterface("s1", 65534, "internal")
ONE, TWO = BridgeInterface("eth1", 1), BridgeInterface("eth2", 2)
GOOD = BridgeRecord(
    row="b1",
    name="s1",
    dpid=1,
    controllers=(OURS,),
    interfaces=(LOCAL, ONE, TWO),
)
STANDALONE = (("fail_mode", "standalone"),)
SFLOW = BridgeExport("sflow", (("targets", '["192.0.2.9:6343"]'), ("sampling", "64")))
HOSTILE = "x; rm -rf ~"


def watched(*records: BridgeRecord, good: BridgeRecord = GOOD) -> WatchedBridge:
    return find(WatchedBridge("s1", 1, PORTS, good), records)


def texts(*records: BridgeRecord, good: BridgeRecord = GOOD) -> list[str]:
    return [str(each) for each in compare(watched(*records, good=good))]


def only(*records: BridgeRecord) -> Difference:
    (difference,) = compare(watched(*records))
    return difference


def test_a_bridge_that_has_not_changed_differs_in_nothing_and_gets_no_repair() -> None:
    assert texts(GOOD) == []
    assert build_repair(watched(GOOD)) == ()


def test_other_bridges_are_never_compared_and_never_changed() -> None:
    foreign = replace(GOOD, row="b9", name="lan", dpid=9, wrong=STANDALONE, mirrors=("tap",))
    assert texts(GOOD, foreign) == []
    assert "b9" not in build_repair(watched(replace(GOOD, mirrors=("m",)), foreign))


@pytest.mark.parametrize(
    ("now", "text", "repair"),
    [
        (
            replace(GOOD, wrong=STANDALONE),
            "changed fail mode: standalone, instead of secure",
            "set Bridge b1 fail_mode=secure",
        ),
        (
            replace(GOOD, wrong=(("protocols", "every version"),)),
            "changed bridge: protocols is every version (an older version can make a table forward "
            "packets that match no flow), instead of OpenFlow14",
            "set Bridge b1 protocols=OpenFlow14",
        ),
        (
            replace(GOOD, controllers=()),
            "missing controller: tcp:127.0.0.1:6653",
            '--id=@c0 create Controller target="tcp:127.0.0.1:6653" max_backoff=1000 -- '
            "add Bridge b1 controller @c0",
        ),
        (
            replace(GOOD, controllers=(OURS, OTHER)),
            "foreign controller: tcp:192.0.2.9:6653",
            "remove Bridge b1 controller c2",
        ),
        (
            replace(GOOD, mirrors=("tap",)),
            "foreign mirror: tap",
            "clear Bridge b1 mirrors",
        ),
        (
            replace(GOOD, exports=(SFLOW,)),
            "foreign mirror: sflow reports packets to 192.0.2.9:6343 (sampling=64)",
            "clear Bridge b1 sflow",
        ),
        (
            replace(GOOD, dpid=7),
            "changed bridge: datapath id 0000000000000007, instead of datapath id 0000000000000001",
            "set Bridge b1 other-config:datapath-id=0000000000000001",
        ),
    ],
)
def test_what_can_be_repaired_is_named_and_repaired(now: BridgeRecord, text: str, repair: str) -> None:
    assert texts(now) == [text]
    assert build_repair(watched(now)) == ("--", *repair.split(" "))


def test_a_bridge_that_was_given_to_somebody_else_loses_him_and_gets_its_own_controller_back() -> None:
    now = replace(GOOD, controllers=(OTHER,))
    assert [each.split(":")[0] for each in texts(now)] == ["foreign controller", "missing controller"]
    commands = " ".join(build_repair(watched(now)))
    assert "remove Bridge b1 controller c2" in commands
    assert "add Bridge b1 controller @c0" in commands


def test_a_second_controller_that_was_there_from_the_beginning_belongs_to_the_bridge() -> None:
    both = replace(GOOD, controllers=(OURS, OTHER))
    assert texts(both, good=both) == []
    assert texts(GOOD, good=both) == ["missing controller: tcp:192.0.2.9:6653"]


def test_this_controller_at_a_new_address_takes_the_place_of_its_old_one() -> None:
    moved = replace(OURS, target="tcp:127.0.0.1:6700")
    assert texts(replace(GOOD, controllers=(moved,))) == []


def test_a_controller_that_hides_flows_of_its_own_is_named() -> None:
    """In-band control adds flows that no OpenFlow message shows."""
    now = replace(GOOD, controllers=(replace(OURS, mode="in-band"),))
    assert texts(now) == [
        "foreign controller: tcp:127.0.0.1:6653 (in-band)",
        "missing controller: tcp:127.0.0.1:6653",
    ]


def test_a_port_that_was_removed_is_missing_and_its_rule_is_named() -> None:
    difference = only(replace(GOOD, interfaces=(LOCAL, ONE)))
    assert (str(difference), difference.rule) == ("missing port: interface eth2 as port 2", "hosts.2")
    assert difference.remedy == "ovs-vsctl add-port s1 eth2 -- set Interface eth2 ofport_request=2"


def test_a_port_whose_device_is_gone_was_not_removed_by_anybody() -> None:
    assert texts(replace(GOOD, interfaces=(LOCAL, ONE, replace(TWO, number=0)))) == []


def test_a_port_with_another_number_is_named_once() -> None:
    difference = only(replace(GOOD, interfaces=(LOCAL, ONE, replace(TWO, number=12))))
    assert str(difference) == "changed port: interface eth2 is port 12, instead of interface eth2 as port 2"
    assert difference.remedy == "ovs-vsctl set Interface eth2 ofport_request=2"


def test_another_device_at_a_port_is_named_and_can_be_accepted() -> None:
    difference = only(replace(GOOD, interfaces=(LOCAL, ONE, BridgeInterface("spy", 2, "vxlan"))))
    assert str(difference) == (
        "changed port: port 2 is interface spy (vxlan), instead of interface eth2 as port 2"
    )
    assert difference.remedy == "if this is right: postern drift --accept s1"


def test_a_tunnel_that_leads_elsewhere_is_named() -> None:
    difference = only(replace(GOOD, interfaces=(LOCAL, ONE, replace(TWO, options="6a7b"))))
    assert "port 2 is interface eth2, with other options" in str(difference)


def test_a_port_that_the_policy_does_not_use_is_foreign_but_the_bridges_own_is_not() -> None:
    difference = only(replace(GOOD, interfaces=(LOCAL, ONE, TWO, BridgeInterface(HOSTILE, 3))))
    assert "is port 3, which the policy does not use" in difference.text
    assert shlex.split(difference.remedy.partition(",")[0]) == ["ovs-vsctl", "del-port", "s1", HOSTILE]


def test_ports_are_not_repaired() -> None:
    for interfaces in ((LOCAL, ONE), (LOCAL, ONE, TWO, BridgeInterface("spy", 3)), ()):
        assert build_repair(watched(replace(GOOD, interfaces=interfaces))) == ()


THREE = BridgeInterface("eth3", 3)
WITH_THREE = replace(GOOD, interfaces=(ONE, TWO, THREE))


def test_a_port_that_left_the_policy_is_not_foreign_and_may_be_removed() -> None:
    assert texts(WITH_THREE, good=WITH_THREE) == []
    assert texts(GOOD, good=WITH_THREE) == []


def test_another_device_at_a_port_that_left_the_policy_is_foreign() -> None:
    now = replace(WITH_THREE, interfaces=(ONE, TWO, replace(THREE, name="spy")))
    assert texts(now, good=WITH_THREE) == [
        "foreign port: interface spy is port 3, which the policy does not use"
    ]


def test_a_foreign_port_is_not_learned_and_a_port_that_was_known_stays_so() -> None:
    assert learn(watched(WITH_THREE), WITH_THREE).interfaces == (ONE, TWO)
    assert learn(watched(WITH_THREE, good=WITH_THREE), WITH_THREE).interfaces == (ONE, TWO, THREE)


def test_a_bridge_that_is_gone_is_missing() -> None:
    difference = only()
    assert str(difference) == "missing bridge: s1"
    assert difference.remedy == (
        "ovs-vsctl add-br s1 -- set bridge s1 fail_mode=secure other_config:disable-in-band=true "
        "protocols=OpenFlow14 -- set Bridge s1 other-config:datapath-id=0000000000000001; "
        "if it is on another machine now: postern drift --accept s1"
    )
    assert build_repair(watched()) == ()


def test_a_bridge_created_again_with_its_datapath_id_is_ours_and_its_ports_are_missing() -> None:
    again = BridgeRecord("b2", "s1", 1)
    assert texts(again) == [
        "missing controller: tcp:127.0.0.1:6653",
        "missing port: interface eth1 as port 1",
        "missing port: interface eth2 as port 2",
    ]
    assert "b2" in build_repair(watched(again))


def test_a_bridge_created_again_with_another_datapath_id_is_not_ours_to_change() -> None:
    again = BridgeRecord("b2", "s1", 0xAB, mirrors=("tap",))
    assert texts(again) == [
        "changed bridge: s1 was created again, with datapath id 00000000000000ab, "
        "instead of datapath id 0000000000000001"
    ]
    assert build_repair(watched(again)) == ()


def test_a_second_bridge_with_our_datapath_id_is_named_and_not_touched() -> None:
    double = BridgeRecord("b7", "a", 1, mirrors=("tap",))
    assert texts(double, GOOD) == ["foreign bridge: a has the same datapath id 0000000000000001"]
    assert build_repair(watched(double, GOOD)) == ()


def test_every_kind_of_difference_belongs_to_bridges_and_has_a_key_and_a_remedy_of_its_own() -> None:
    now = replace(
        GOOD,
        dpid=2,
        wrong=tuple((each.column, "x") for each in BRIDGE_SETTINGS),
        datapath_type="netdev",
        limited_tables=(LimitedTable(0, "", (("flow_limit", "1"),)),),
        managers=("ptcp:6640",),
        controllers=(OTHER, replace(OTHER, mode="in-band")),
        mirrors=("a", "b"),
        exports=(BridgeExport("ipfix"), SFLOW),
        interfaces=(TWO, BridgeInterface("spy", 3), BridgeInterface("tap", 4)),
    )
    found = compare(watched(now, BridgeRecord("b8", "z", 2)))
    assert len({each.key for each in found}) == len(found) >= 20
    assert {each.kind for each in found} <= OF_BRIDGES
    assert all(each.remedy for each in found)


def test_a_target_that_contains_quotes_stays_one_word_of_ovs_vsctl() -> None:
    good = replace(GOOD, controllers=(replace(OURS, target='tcp:"\\'),))
    (word,) = (
        each for each in build_repair(watched(replace(GOOD, controllers=()), good=good)) if "target" in each
    )
    assert word == 'target="tcp:\\"\\\\"'


@pytest.mark.parametrize("setting", BRIDGE_SETTINGS, ids=lambda each: each.column)
def test_each_setting_that_a_bridge_must_have_is_named_and_put_back(setting: BridgeSetting) -> None:
    now = replace(GOOD, wrong=((setting.column, "strange"),))
    difference = only(now)
    assert "strange" in difference.text
    assert difference.wanted == setting.wanted
    assert difference.remedy == f"ovs-vsctl set bridge s1 {setting.column}={setting.wanted}"
    assert build_repair(watched(now)) == ("--", "set", "Bridge", "b1", f"{setting.column}={setting.wanted}")


def test_another_datapath_is_put_back_and_an_empty_one_is_the_kernels() -> None:
    now = replace(GOOD, datapath_type="netdev")
    assert texts(now) == ["changed bridge: datapath_type is netdev, instead of system"]
    assert build_repair(watched(now)) == ("--", "set", "Bridge", "b1", 'datapath_type=""')
    assert texts(replace(GOOD, datapath_type="system")) == []


def test_a_limited_table_loses_its_limit_and_keeps_its_name() -> None:
    now = replace(GOOD, limited_tables=(LimitedTable(4, "resume", (("flow_limit", "1"),)),))
    assert texts(now) == [
        "changed bridge: table 4 (resume) has flow_limit=1: flows are refused or removed, instead of no limit"
    ]
    assert " ".join(build_repair(watched(now))) == (
        '-- --id=@t4 create Flow_Table name="resume" -- set Bridge b1 flow_tables:4=@t4'
    )


def test_a_limited_table_without_a_name_loses_its_entry() -> None:
    now = replace(GOOD, limited_tables=(LimitedTable(4, "", (("flow_limit", "1"),)),))
    assert " ".join(build_repair(watched(now))) == "-- remove Bridge b1 flow_tables 4"


def test_what_was_foreign_at_first_sight_is_named_and_left_alone_until_it_is_accepted() -> None:
    now = replace(GOOD, controllers=(OURS, OTHER), exports=(SFLOW,), managers=("ptcp:6640",))
    good = learn_at_first_sight(watched(now), now)
    found = compare(watched(now, good=good))
    assert [str(each) for each in found] == [
        "foreign controller: tcp:192.0.2.9:6653",
        "foreign controller: manager ptcp:6640 lets other programs change every bridge of this machine",
        "foreign mirror: sflow reports packets to 192.0.2.9:6343 (sampling=64)",
    ]
    assert all(
        each.remedy.startswith("if this is right: postern drift --accept s1; otherwise:") for each in found
    )
    assert build_repair(watched(now, good=good)) == ()
    assert texts(now, good=learn(watched(now, good=good), now)) == []


def test_this_controller_is_not_foreign_at_first_sight() -> None:
    assert learn_at_first_sight(watched(GOOD), GOOD) == replace(GOOD, interfaces=(ONE, TWO))


def test_what_comes_later_is_removed_although_something_else_waits_to_be_accepted() -> None:
    first = replace(GOOD, controllers=(OURS, OTHER), exports=(SFLOW,))
    good = learn_at_first_sight(watched(first), first)
    late = BridgeController("tcp:192.0.2.8:6653", row="c3")
    moved = BridgeExport("sflow", (("targets", '["192.0.2.8:6343"]'),))
    now = replace(first, controllers=(OURS, OTHER, late), exports=(moved,))
    assert " ".join(build_repair(watched(now, good=good))) == (
        "-- clear Bridge b1 sflow -- remove Bridge b1 controller c3"
    )


def test_an_accepted_collector_that_was_changed_is_put_back() -> None:
    good = replace(GOOD, exports=(SFLOW,))
    now = replace(GOOD, exports=(BridgeExport("sflow", (("targets", '["198.51.100.1:6343"]'),)),))
    assert texts(now, good=good) == [
        "changed mirror: sflow reports packets to 198.51.100.1:6343, "
        "instead of sflow reports packets to 192.0.2.9:6343 (sampling=64)"
    ]
    assert " ".join(build_repair(watched(now, good=good))) == (
        '-- --id=@sflow create sFlow targets=["192.0.2.9:6343"] sampling=64 -- set Bridge b1 sflow=@sflow'
    )


def test_an_accepted_collector_that_is_gone_is_no_difference() -> None:
    assert texts(GOOD, good=replace(GOOD, exports=(SFLOW,))) == []


def test_a_manager_is_named_at_any_time_and_never_removed() -> None:
    now = replace(GOOD, managers=("ptcp:6640",))
    assert len(texts(now)) == 1
    assert build_repair(watched(now)) == ()


def test_this_controller_is_told_of_ports_again() -> None:
    now = replace(GOOD, controllers=(replace(OURS, wrong=(("enable_async_messages", "false"),)),))
    assert texts(now) == [
        "changed controller: tcp:127.0.0.1:6653 has enable_async_messages=false: the switch does not report "
        "its ports, instead of enable_async_messages=true"
    ]
    assert " ".join(build_repair(watched(now))) == "-- set Controller c1 enable_async_messages=true"


def test_a_controller_that_listens_says_what_that_means() -> None:
    listener = BridgeController("ptcp:6654", row="c4")
    assert texts(replace(GOOD, controllers=(OURS, listener))) == [
        "foreign controller: ptcp:6654 lets any program that connects there change all flows"
    ]


@pytest.mark.parametrize(
    ("settings", "text", "repair"),
    [
        ((("tag", "7"),), "has tag=7, instead of no tag", "clear Port p2 tag"),
        (
            (("ingress_policing_rate", "1"),),
            "has ingress_policing_rate=1, instead of no ingress_policing_rate",
            "set Interface i2 ingress_policing_rate=0",
        ),
        ((("qos", "queues-6a"),), "has qos=queues-6a, instead of no qos", "clear Port p2 qos"),
    ],
)
def test_a_setting_of_a_port_is_named_with_its_rule_and_put_back(
    settings: tuple[tuple[str, str], ...], text: str, repair: str
) -> None:
    two = replace(TWO, settings=settings, row="i2", port_row="p2")
    now = replace(GOOD, interfaces=(LOCAL, ONE, two))
    difference = only(now)
    assert str(difference) == f"changed port: port 2, interface eth2, {text}"
    assert difference.rule == "hosts.2"
    assert build_repair(watched(now)) == ("--", *repair.split())


def test_a_setting_that_a_port_had_before_is_put_back() -> None:
    good = replace(GOOD, interfaces=(LOCAL, ONE, replace(TWO, settings=(("tag", "7"), ("qos", "queues-6a")))))
    now = replace(GOOD, interfaces=(LOCAL, ONE, replace(TWO, row="i2", port_row="p2")))
    assert texts(now, good=good) == [
        "changed port: port 2, interface eth2, has no tag, instead of tag=7",
        "changed port: port 2, interface eth2, has no qos, instead of qos=queues-6a",
    ]
    assert build_repair(watched(now, good=good)) == ("--", "set", "Port", "p2", "tag=7")


def test_an_interface_of_another_type_that_cannot_be_opened_is_named_and_gets_its_type_back() -> None:
    nonsense = replace(TWO, kind="nonsense", number=0, row="i2")
    now = replace(GOOD, interfaces=(LOCAL, ONE, nonsense))
    assert texts(now) == [
        "changed port: interface eth2 (nonsense) could not be opened, instead of interface eth2 as port 2"
    ]
    assert build_repair(watched(now)) == ("--", "set", "Interface", "i2", 'type=""')


def test_ports_that_the_policy_does_not_use_may_have_any_settings() -> None:
    three = replace(THREE, settings=(("tag", "7"),))
    good = replace(GOOD, interfaces=(ONE, TWO, three))
    assert texts(WITH_THREE, good=good) == []
