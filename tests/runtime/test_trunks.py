"""The single writer and the trunks: what it does when one dies, comes back, or a router's port goes down."""

from ipaddress import ip_address

import pytest

from controller.pipeline.flows import GroupKind
from controller.policy.model import PortRef
from controller.pools.conntrack import Connection
from controller.runtime.commands.sessions import CutOrphans, NoteForgotten, WakeUp
from controller.runtime.events import ProbeHeard
from controller.sync.outcomes import Port, PortChanged
from controller.topology.cabling import PROBE_INTERVAL_S
from tests.fake_switch import FakeSwitch, HeldFlow
from tests.world import POLICIES, FakeChannel, World

RING = (POLICIES / "ring.yaml").read_text(encoding="utf-8")


class Ring(World):
    """Four switches of `policies/ring.yaml`, all connected and in step."""

    def __init__(self) -> None:
        super().__init__()
        self.start("ring.yaml", RING)
        self.channels: dict[int, FakeChannel] = {}
        for dpid in (1, 2, 3, 4):
            self.channels[dpid] = self.connect(dpid, FakeSwitch(ports=12))
            self.settle(self.channels[dpid], dpid)

    def port(self, ref: str, is_down: bool) -> None:
        dpid, number = int(ref[1]), int(ref.partition(":")[2])
        changed = PortChanged(Port(number, "02:70:00:00:00:01", f"s{dpid}-eth{number}", is_down), False)
        self.hear(dpid, self.channels[dpid], changed)

    def broken(self) -> frozenset[PortRef]:
        return self.core.in_force.conditions.broken


@pytest.fixture
def ring() -> Ring:
    return Ring()


def test_a_dead_trunk_is_left_out_on_every_switch(ring: Ring) -> None:
    asked = {dpid: len(channel.asked) for dpid, channel in ring.channels.items()}
    ring.port("s1:11", is_down=True)
    assert ring.broken() == {PortRef("s1", 11)}
    assert all(len(channel.asked) > asked[dpid] for dpid, channel in ring.channels.items())


def test_a_trunk_that_comes_back_is_used_again(ring: Ring) -> None:
    states = ring.core.accepted.states  # type: ignore[union-attr]
    for is_down in (True, False):
        ring.port("s1:11", is_down)
    assert ring.broken() == frozenset()
    assert ring.core.accepted.states == states  # type: ignore[union-attr]


def test_a_dead_trunk_is_remembered_when_its_switch_stops_answering(ring: Ring) -> None:
    ring.port("s1:11", is_down=True)
    ring.disconnect(1, ring.channels[1])
    ring.apply(RING.replace("ports: [80]", "ports: [8080]"), "ring.yaml")
    assert ring.broken() == {PortRef("s1", 11)}


def test_trunks_of_a_switch_that_cannot_be_put_right_are_probed(ring: Ring) -> None:
    switch = ring.channels[1].switch
    ring.disconnect(1, ring.channels[1])
    switch.disconnect()
    switch.tables.flows[0, 60_000, b""] = HeldFlow(0, b"", b"")
    switch.refuses = True
    channel = ring.connect(1, switch)
    ring.settle(channel)
    assert ring.core.switches.records[1].session.confirmed_revision == 0
    ring.tick(PROBE_INTERVAL_S)
    assert channel.probed


def test_every_way_of_the_ring_has_a_second_one(ring: Ring) -> None:
    for state in ring.core.accepted.states.values():  # type: ignore[union-attr]
        kinds = [group.kind for group in state.groups.values() if group.because.startswith("switches.")]
        assert sorted(kinds) == [GroupKind.SELECT, GroupKind.FAST_FAILOVER, GroupKind.FAST_FAILOVER]


def test_packets_for_a_gateway_whose_port_is_down_go_to_the_other_one(ring: Ring) -> None:
    ring.port("s1:2", is_down=True)
    state = ring.core.accepted.states["s2"]  # type: ignore[union-attr]
    (flow,) = [
        f for f in state.flows.values() if f.because.endswith(".acme-gw1") and f.table.label == "forward"
    ]
    assert [action for action in flow.actions if getattr(action, "value", 0) == 0x02AA00000101]


def heard(ring: Ring, at: str, origin: str) -> None:
    dpid, near = int(at[1]), PortRef(origin[:2], int(origin[3:]))
    ring.on(ProbeHeard(dpid, ring.channels[dpid], int(at[3:]), near))


def pass_time(ring: Ring, seconds: int, *cables: tuple[str, str]) -> None:
    """Let time pass while probes travel over these cables, in both directions."""
    for _ in range(seconds):
        ring.tick(1.0)
        for a, b in cables:
            heard(ring, a, b)
            heard(ring, b, a)


GOOD = (("s1:11", "s2:12"), ("s2:11", "s3:12"), ("s3:11", "s4:12"), ("s4:11", "s1:12"))


def test_every_end_of_every_trunk_is_probed(ring: Ring) -> None:
    ring.tick(1.0)
    assert {origin for channel in ring.channels.values() for origin in channel.probed} == {
        PortRef(f"s{number}", port) for number in (1, 2, 3, 4) for port in (11, 12)
    }


def test_right_cabling_is_no_event(ring: Ring) -> None:
    pass_time(ring, 10, *GOOD)
    assert ring.events("CablingWrong") == []
    assert ring.broken() == frozenset()


def test_swapped_cables_are_named_and_not_used(ring: Ring) -> None:
    pass_time(ring, 3, ("s1:11", "s4:12"), ("s3:11", "s2:12"), *GOOD[1:2], *GOOD[3:])
    reasons = [event["reason"] for event in ring.events("CablingWrong")]
    assert (
        "s2:12 is cabled to s3:11, but the policy says s1:11; remedy: change the cable or `links`" in reasons
    )
    assert len(reasons) == 4
    assert ring.broken() == {PortRef("s1", 11), PortRef("s2", 12), PortRef("s3", 11), PortRef("s4", 12)}


def test_a_silent_trunk_is_not_used_until_it_is_heard_again(ring: Ring) -> None:
    pass_time(ring, 10, *GOOD[1:])
    assert ring.broken() == {PortRef("s1", 11), PortRef("s2", 12)}
    pass_time(ring, 2, *GOOD)
    assert len(ring.events("CablingRight")) == 2
    assert ring.broken() == frozenset()


def test_a_trunk_to_a_switch_that_does_not_answer_is_not_judged(ring: Ring) -> None:
    ring.disconnect(2, ring.channels[2])
    pass_time(ring, 10, *GOOD[2:])
    assert ring.broken() == frozenset()


def test_members_on_a_switch_that_is_cut_off_get_no_sessions_from_the_others(ring: Ring) -> None:
    ring.port("s1:11", is_down=True)
    ring.port("s3:12", is_down=True)
    state = ring.core.accepted.states["s1"]  # type: ignore[union-attr]
    (pool,) = [group for group in state.groups.values() if group.because == "pools.proxies"]
    receivers = {action.value for bucket in pool.buckets for action in bucket.actions[:1]}  # type: ignore[union-attr]
    assert receivers == {0x02_CC_00_00_00_01, 0x02_CC_00_00_00_03}


def test_sessions_of_a_member_that_is_gone_are_forgotten_at_their_tenants_home(ring: Ring) -> None:
    proxy2, bbr1 = 0x02_CC_00_00_00_02, 0x02_BB_00_00_00_01
    client, server = ip_address("198.51.100.10"), ip_address("203.0.113.10")
    session = Connection(11, client, 4000, server, 25, initiator=bbr1, responder=proxy2)
    ring.port("s2:1", is_down=True)
    ring.handle(WakeUp(ring.handle(CutOrphans((session,)))))
    assert {dpid: channel.forgotten for dpid, channel in ring.channels.items() if channel.forgotten} == {
        1: [session]
    }
    assert ring.channels[1].woken == [(1, session)]
    assert ring.events("SessionsCut") == [{"member": "pools.proxies.members.proxy2", "connections": 1}]
    assert not ring.core.orphans.is_pending


def test_a_client_that_is_still_connecting_is_not_woken_up_because_it_would_answer_with_a_reset(
    ring: Ring,
) -> None:
    proxy2, bbr1 = 0x02_CC_00_00_00_02, 0x02_BB_00_00_00_01
    client, server = ip_address("198.51.100.10"), ip_address("203.0.113.10")
    ring.port("s2:1", is_down=True)
    connecting = Connection(11, client, 4000, server, 25, bbr1, proxy2, is_answered=False)
    ring.handle(WakeUp(ring.handle(CutOrphans((connecting,)))))
    assert ring.channels[1].forgotten == [connecting]
    assert ring.channels[1].woken == []


def test_a_member_that_comes_back_before_its_sessions_were_cut_keeps_them(ring: Ring) -> None:
    ring.port("s2:1", is_down=True)
    ring.port("s2:1", is_down=False)
    assert not ring.core.orphans.is_pending


def test_a_switch_is_back_only_when_it_has_its_flows_again(ring: Ring) -> None:
    assert ring.core.switches.is_back(2)
    ring.disconnect(2, ring.channels[2])
    assert not ring.core.switches.is_back(2)
    assert not ring.core.switches.is_back(99)


def test_sessions_that_a_switch_has_forgotten_are_counted_in_the_journal(ring: Ring) -> None:
    client, server = ip_address("198.51.100.10"), ip_address("203.0.113.10")
    session = Connection(11, client, 4000, server, 25, initiator=1, responder=2)
    ring.handle(NoteForgotten(1, (session, session)))
    ring.handle(NoteForgotten(2, ()))
    assert ring.events("SessionsForgotten") == [{"switch": "s1", "connections": 2}]
