"""Ports, fragments and eviction as OpenFlow shows them, against the policy."""

from dataclasses import replace

import pytest

from controller.drift.model import OF_SETTINGS, Difference
from controller.drift.settings import SeenSwitch, build_reset, compare
from controller.policy.model import PortRef
from controller.sync.outcomes import (
    LOCAL_PORT,
    PORT_UNTOUCHED,
    Fragments,
    Port,
    PortConfig,
    SwitchSettings,
    TableConfig,
)
from controller.topology.ports import PortUse

USES = {
    number: PortUse(PortRef("s1", number), f"proxy{number}", rule=f"pools.proxies.members.proxy{number}")
    for number in (4, 5)
}


def port(number: int, name: str = "", config: PortConfig = PORT_UNTOUCHED) -> Port:
    return Port(number, f"02:70:00:00:00:{number & 255:02x}", name or f"eth{number}", False, config)


LOCAL = port(LOCAL_PORT, "br0", PortConfig.DOWN)
PORTS = {each.number: each for each in (port(4), port(5), LOCAL)}
GOOD = SeenSwitch("s1", USES, PORTS, {}, SwitchSettings(Fragments.NORMAL, 128, {}))


def with_port(changed: Port) -> SeenSwitch:
    return replace(GOOD, ports={**PORTS, changed.number: changed})


def only(seen: SeenSwitch) -> Difference:
    (found,) = compare(seen)
    assert found.kind in OF_SETTINGS
    return found


def test_a_switch_as_it_should_be_has_no_difference_although_its_own_port_is_down() -> None:
    assert compare(GOOD) == ()
    assert build_reset(GOOD).is_empty


def test_settings_that_the_switch_has_not_told_are_not_called_wrong() -> None:
    seen = replace(GOOD, settings=SwitchSettings())
    assert compare(seen) == ()
    assert build_reset(seen).is_empty


def test_a_port_that_does_not_forward_is_named_with_its_neighbour_and_put_back() -> None:
    changed = port(4, config=PortConfig.NO_RECEIVE | PortConfig.NO_FORWARD | PortConfig.NO_PACKET_IN)
    found = only(with_port(changed))
    assert str(found) == (
        "changed port: port 4 (eth4) is set to no-receive, no-forward, no-packet-in, "
        "instead of receive, forward, packet-in"
    )
    assert found.rule == "pools.proxies.members.proxy4"
    mod = "ovs-ofctl -O OpenFlow14 mod-port br0 4"
    assert found.remedy == f"{mod} receive; {mod} forward; {mod} packet-in"
    assert build_reset(with_port(changed)).ports == (changed,)


@pytest.mark.parametrize("bit", [PortConfig.NO_RECEIVE, PortConfig.NO_FORWARD, PortConfig.NO_PACKET_IN])
def test_each_of_these_bits_is_drift(bit: PortConfig) -> None:
    assert "is set to no-" in str(only(with_port(port(5, config=bit))))
    assert not build_reset(with_port(port(5, config=bit))).is_empty


def test_a_port_that_was_taken_down_is_named_and_left_alone() -> None:
    seen = with_port(port(4, config=PortConfig.DOWN))
    found = only(seen)
    assert str(found) == "changed port: port 4 (eth4) was taken down by a command, instead of up"
    assert found.rule == "pools.proxies.members.proxy4"
    assert "ovs-ofctl -O OpenFlow14 mod-port br0 4 up" in found.remedy
    assert build_reset(seen).is_empty


def test_a_cable_that_was_pulled_is_not_drift() -> None:
    assert compare(with_port(replace(port(4), is_down=True))) == ()


def test_a_missing_port_is_named_with_what_was_there() -> None:
    seen = replace(GOOD, ports={5: port(5), LOCAL_PORT: LOCAL}, names={4: "eth4"})
    found = only(seen)
    assert str(found) == "missing port: interface eth4 as port 4, for proxy4"
    assert found.remedy == "ovs-vsctl add-port br0 eth4 -- set Interface eth4 ofport_request=4"
    assert found.rule == "pools.proxies.members.proxy4"


def test_a_missing_port_that_never_was_there_has_a_remedy_too() -> None:
    found = only(replace(GOOD, ports={5: port(5)}))
    assert found.wanted == "an interface as port 4, for proxy4"
    assert found.remedy == "ovs-vsctl add-port s1 DEVICE -- set Interface DEVICE ofport_request=4"


def test_an_interface_that_has_moved_is_one_difference() -> None:
    moved = {5: port(5), 77: port(77, "eth4"), LOCAL_PORT: LOCAL}
    found = only(replace(GOOD, ports=moved, names={4: "eth4"}))
    assert str(found) == "changed port: interface eth4 is port 77, instead of port 4"


def test_a_foreign_port_is_named_unless_the_policy_used_it_before() -> None:
    seen = with_port(port(77, "spy"))
    assert str(only(seen)) == "foreign port: interface spy is port 77, which the policy does not use"
    assert only(seen).remedy == "ovs-vsctl del-port br0 spy, or add the port to the policy"
    assert compare(replace(seen, names={77: "spy"})) == ()
    assert compare(replace(seen, names={77: "other"})) != ()


@pytest.mark.parametrize(
    ("fragments", "word"),
    [(Fragments.DROP, "drop"), (Fragments.REASSEMBLE, "reassemble"), (Fragments.NX_MATCH, "nx-match")],
)
def test_what_happens_to_fragments_is_named_and_put_back(fragments: Fragments, word: str) -> None:
    seen = replace(GOOD, settings=SwitchSettings(fragments, 77, {}))
    found = only(seen)
    assert str(found) == f"changed setting: fragments are {word}, instead of normal"
    assert (found.rule, found.remedy) == ("switches.s1", "ovs-ofctl -O OpenFlow14 set-frags br0 normal")
    assert build_reset(seen).miss_send_len == 77


def test_tables_that_evict_flows_are_one_difference_and_put_back() -> None:
    every = dict.fromkeys(range(254), TableConfig.EVICTION)
    seen = replace(GOOD, settings=SwitchSettings(Fragments.NORMAL, 0, every))
    assert str(only(seen)) == "changed setting: 254 tables: evict, instead of noevict"
    assert only(seen).remedy == "ovs-ofctl -O OpenFlow14 mod-table br0 all noevict"
    assert build_reset(seen).tables == tuple(range(254))
    one = replace(GOOD, settings=SwitchSettings(Fragments.NORMAL, 0, {3: TableConfig.VACANCY_EVENTS}))
    assert str(only(one)) == "changed setting: table 3: vacancy, instead of novacancy"
    assert only(one).remedy.endswith("mod-table br0 3 novacancy")
