"""Faults made by hand: each lets a packet through, and the proof says which claim it breaks."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.ids import party_id
from controller.openflow.oxm import canonical, encode_fields
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import EthType, IpProto, Role, Zone
from controller.pipeline.flows import Clone, Flow, FlowAction, Match, Output, Resubmit, SetField, match
from controller.pipeline.tables import Table
from controller.proof.model import Claim, NetworkState
from controller.proof.prove import prove
from controller.sync.state import WireFlow, WireKey
from controller.topology.ports import mac_number
from tests.proof.edges import many_tenants
from tests.proof.networks import holding, network_of, without

pytestmark = pytest.mark.proofs

Fault = Callable[[NetworkState], NetworkState]
ACME_SERVER, SCANNER1_PORT, DECOY_MAC = 0xCB00710A, 6, mac_number("02:ee:00:00:00:01")
SMTP = ((f.ETH_TYPE, EthType.IPV4), (f.IPV4_DST, ACME_SERVER), (f.IP_PROTO, IpProto.TCP), (f.TCP_DST, 25))
_EVIL = 60_000


def flow(
    table: Table, wanted: Match, *actions: FlowAction, goto: Table | None = None, priority: int = _EVIL
) -> Fault:
    return lambda network: holding(network, Flow(table, priority, wanted, actions, goto, "by hand"))


def raw(table: int, instructions: bytes, wanted: Match = ()) -> Fault:
    """A flow that the encoder of the pipeline cannot write."""
    fields = encode_fields(wanted)
    wire = WireFlow(WireKey(table, _EVIL, canonical(fields)), 0xBAD, instructions, fields)
    return lambda network: holding(network, wire)


def applied(action: bytes) -> bytes:
    return struct.pack("!HH4x", 4, 8 + len(action)) + action


def output(port: int) -> bytes:
    return applied(struct.pack("!HHIH6x", 0, 16, port, 0))


def removed(table: Table, is_gone: Callable[[WireFlow], bool]) -> Fault:
    return lambda network: without(network, lambda each: each.key.table == table and is_gone(each))


def with_kind(network: NetworkState, kind: int) -> NetworkState:
    """All groups of the first switch are of another kind."""
    state = network.switches["s1"]
    groups = {number: replace(group, kind=kind) for number, group in state.groups.items()}
    return replace(network, switches={**network.switches, "s1": replace(state, groups=groups)})


FROM_BACKBONE = (f.IN_PORT, 1)
_COMMIT = struct.pack("!HHIHHIHB3xH", 0xFFFF, 24, 0x2320, 35, 1, 0, 11, 0xFF, 0)
# learn(table=T, NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[], output:NXM_OF_IN_PORT[]), as ovs-ofctl(8) writes it
_LEARN = (
    "ffff 0038 00002320 0010 0000 0000 ee48 0000000000000000 0000 %02x 00 0000 0000"
    "0030 00000406 0000 00000206 0000 1010 00000002 0000 0000"
)


def learning(table: Table) -> Fault:
    """Tenants' UDP packets teach a switch where they come from."""
    learn = bytes.fromhex(_LEARN.replace("%02x", f"{table:02x}"))
    goto = struct.pack("!HHB3x", 1, 8, Table.COMMIT)
    wanted = match((f.ETH_TYPE, EthType.IPV4), (f.IP_PROTO, IpProto.UDP))
    return raw(Table.SERVICE, applied(learn) + goto, wanted)


FAULTS: dict[str, tuple[Fault, Claim]] = {
    "a foreign NORMAL": (raw(0, output(0xFFFFFFFA)), Claim.PORT_25),
    "a foreign FLOOD": (raw(0, output(0xFFFFFFFB)), Claim.PORT_25),
    "output to a tenant": (flow(Table.ADMISSION, match(FROM_BACKBONE), Output(2)), Claim.PORT_25),
    "output to an unused port": (flow(Table.ADMISSION, match(), Output(99)), Claim.UNKNOWN_PORT),
    "output to LOCAL": (raw(0, output(0xFFFFFFFE)), Claim.UNKNOWN_PORT),
    "a port that nobody uses is admitted": (
        flow(Table.ADMISSION, match((f.IN_PORT, 99)), SetField(f.ROLE, Role.GATEWAY), goto=Table.SOURCE),
        Claim.POOL_HOST,
    ),
    "an unknown action": (raw(0, applied(bytes.fromhex("ffff001000002320007f000000000000"))), Claim.ANYWHERE),
    "an unknown instruction": (raw(0, bytes.fromhex("0003000800000000")), Claim.ANYWHERE),
    "a group that is not there": (raw(0, applied(struct.pack("!HHI", 22, 8, 77))), Claim.ANYWHERE),
    "straight to a server's port 25": (
        flow(Table.SERVICE, match((f.ZONE, Zone.OUTSIDE), *SMTP), goto=Table.ROUTE),
        Claim.PORT_25,
    ),
    "another pool relays": (
        flow(Table.SERVICE, match((f.ROLE, Role.GATEWAY), (f.ZONE, Zone.RELAY), *SMTP), goto=Table.ROUTE),
        Claim.PORT_25,
    ),
    "the backbone counts as a gateway": (
        flow(
            Table.SOURCE,
            match((f.ROLE, Role.BACKBONE), *SMTP[:2]),
            SetField(f.ROLE, Role.GATEWAY),
            SetField(f.PARTY, party_id("pools.proxies")),
            goto=Table.HOME,
        ),
        Claim.PORT_25,
    ),
    "a decoy has another role": (
        flow(Table.SOURCE, match((f.ROLE, Role.DECOY)), SetField(f.ROLE, Role.BACKBONE), goto=Table.HOME),
        Claim.ANSWERS_ONLY,
    ),
    "a service that nobody publishes": (
        flow(Table.SERVICE, match((f.ZONE, Zone.OUTSIDE), *SMTP[:3], (f.TCP_DST, 445)), goto=Table.ROUTE),
        Claim.UNPUBLISHED,
    ),
    "new mail goes to decoys' port": (
        flow(Table.FORWARD, match((f.ETH_DST, mac_number("02:aa:00:00:00:01"))), Output(9)),
        Claim.FOREIGN_SESSION,
    ),
    "tenants reach pool hosts": (
        flow(Table.SERVICE, match((f.ROLE, Role.TENANT)), SetField(f.ETH_DST, DECOY_MAC), goto=Table.COMMIT),
        Claim.POOL_HOST,
    ),
    "tenants may use any address": (
        flow(Table.SOURCE, match((f.ROLE, Role.TENANT)), goto=Table.HOME, priority=priorities.LOW),
        Claim.OTHER_TENANT,
    ),
    "a copy to a tenant": (
        flow(
            Table.ADMISSION,
            match(FROM_BACKBONE, (f.ETH_SRC, mac_number("02:bb:00:00:00:01"))),
            Clone((SetField(f.ETH_DST, mac_number("02:aa:00:00:00:01")), Resubmit(Table.FORWARD))),
        ),
        Claim.PORT_25,
    ),
    "no drop of a tenant's stray port 25": (
        removed(
            Table.SERVICE,
            lambda each: each.key.priority == priorities.DENY and b"\x00\x19" in each.key.fields,
        ),
        Claim.PORT_25,
    ),
    "any fragment goes on": (
        removed(Table.RESUME, lambda each: each.key.priority == priorities.DENY),
        Claim.ANSWERS_ONLY,
    ),
    "an output behind a commit": (
        lambda network: holding(
            network,
            *(
                WireFlow(WireKey(8, 59_000, b""), 0xBAD, applied(_COMMIT + output(1)[8:]), b"")
                for _ in range(1)
            ),
        ),
        Claim.HELD_FRAGMENTS,
    ),
    "an output behind a commit in another table": (
        flow(Table.SERVICE, match((f.ETH_TYPE, EthType.IPV4)), Resubmit(Table.COMMIT), Output(1)),
        Claim.HELD_FRAGMENTS,
    ),
    "an output behind a copy that commits in another table": (
        flow(Table.SERVICE, match((f.ETH_TYPE, EthType.IPV4)), Clone((Resubmit(Table.COMMIT),)), Output(1)),
        Claim.HELD_FRAGMENTS,
    ),
    "a switch learns ports before it looks at senders": (learning(Table.ADMISSION), Claim.PORT_25),
    "a group of which packets take all buckets": (
        lambda network: with_kind(network, 0),
        Claim.HELD_FRAGMENTS,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_breaks_its_claim(name: str) -> None:
    fault, claim = FAULTS[name]
    proof = prove(fault(network_of("demo")))
    assert claim in {each.claim for each in proof.violations}, proof.violations


def test_a_fault_is_shown_with_its_flow() -> None:
    fault, _ = FAULTS["straight to a server's port 25"]
    found = next(each for each in prove(fault(network_of("demo"))).violations if each.is_confirmed)
    step = next(each for each in found.flows if each.priority == _EVIL)
    assert (step.switch, step.table, step.rule) == ("s1", "service", "")
    assert "203.0.113.10" in step.text
    assert "tenants.acme.gateways.acme-gw" in {each.rule for each in found.flows}


@pytest.mark.parametrize("tenants", [2, 12])
def test_a_flow_that_opens_too_many_ways_ends_the_proof_early(tenants: int) -> None:
    """Nothing that was looked up is followed: all senders may begin, in every direction, what they like."""
    network = many_tenants(tenants)
    anything = flow(Table.RESUME, match((f.ETH_TYPE, EthType.IPV4)), goto=Table.SUSPICION)
    proof = prove(anything(network))
    assert {Claim.FOREIGN_SESSION, Claim.ANSWERS_ONLY} <= {each.claim for each in proof.violations}
    stopped = proof.violations[0]
    assert "stopped" in stopped.packet
    assert [(each.table, each.priority) for each in stopped.flows] == [("resume", _EVIL)]


HARMLESS: dict[str, Fault] = {
    "a drop": flow(Table.ADMISSION, match(FROM_BACKBONE)),
    "a copy to the controller": raw(0, output(0xFFFFFFFD)),
    "a role that no flow matches": flow(
        Table.SOURCE, match((f.ROLE, Role.BACKBONE)), SetField(f.ROLE, 77), goto=Table.HOME
    ),
    "a switch learns the ports that it sends to anyway": learning(Table.FORWARD),
    "groups of which packets take the first bucket": lambda network: with_kind(network, 3),
    "a meter": raw(8, bytes.fromhex("0006000800000001") + bytes.fromhex("0001000809000000")),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_closes_a_way_is_no_violation(name: str) -> None:
    proof = prove(HARMLESS[name](network_of("demo")))
    assert proof.is_proved, proof.violations
