"""Who reaches whom: what the compiled tables say, and what real packets do, on every topology.

Each neighbour of the edge sends the first segment of a connection to everybody's
addresses; an eye at every neighbour's link sees what arrives. Of a pool one member
is reached, and which one is the switch's choice.
"""

from contextlib import ExitStack

import pytest

from controller.compiler.neighbours import Neighbour
from controller.pipeline.fields import Role
from controller.policy.model import Address, Policy
from lab.frames import Eye, Segment, send
from lab.lab import Lab
from tests.compiler.reach import Probe, Reach, addresses_of, probes_between
from tests.lab.conftest import POLICIES, House

pytestmark = pytest.mark.lab

_TOPOLOGIES = sorted(file.stem for file in POLICIES.glob("*.yaml"))
_FIRST_PORT = 10_000  # below the ports that kernels choose by themselves
_MOST_TENANTS = 5


@pytest.mark.parametrize("topology", _TOPOLOGIES)
def test_real_packets_reach_whom_the_tables_say(house: House, topology: str) -> None:
    lab = house.open(topology)
    edge = Reach(lab.scene().policy)
    expected: dict[tuple[int, int], set[str]] = {}
    sent: list[tuple[str, dict[tuple[int, int], bytes]]] = []
    with ExitStack() as stack:
        eyes = {neighbour.path: stack.enter_context(_eye(lab, neighbour)) for neighbour in edge.neighbours}
        for sender in edge.neighbours:
            probes = _probes(edge.policy, sender)
            frames: dict[tuple[int, int], bytes] = {}
            for number, probe in enumerate(probes, start=_FIRST_PORT + len(expected)):
                expected[(number, probe.port)] = edge.reached(sender, probe)
                frames[(number, probe.port)] = _segment(edge, sender, probe, number).to_frame()
            sent.append((_host(lab, sender), frames))
            _send(lab, *sent[-1])
            for eye in eyes.values():
                eye.seen(0.0)
        for _ in range(2):  # a busy switch loses some
            arrived = _arrived(eyes)
            for host, frames in sent:
                missing = [ports for ports in frames if expected[ports] and ports not in arrived]
                _send(lab, host, {ports: frames[ports] for ports in missing})
        arrived = {ports: paths for ports, paths in _arrived(eyes).items() if ports in expected}
    assert len(expected) < 20_000, "source ports would run into those of kernels"
    wrong = {
        ports: (wanted, arrived.get(ports, set()))
        for ports, wanted in expected.items()
        if not arrived.get(ports, set()) <= wanted or len(arrived.get(ports, ())) != bool(wanted)
    }
    assert wrong == {}
    assert any(expected.values())


def _send(lab: Lab, host: str, frames: dict[tuple[int, int], bytes]) -> None:
    send(lab.places.pin(host), f"{host}-eth0", frames.values())


def _arrived(eyes: dict[str, Eye]) -> dict[tuple[int, int], set[str]]:
    """Return which neighbours have seen what, by its ports."""
    arrived: dict[tuple[int, int], set[str]] = {}
    for path, eye in eyes.items():
        for ports in eye.seen(0.2):
            arrived.setdefault(ports, set()).add(path)
    return arrived


def _probes(policy: Policy, sender: Neighbour) -> list[Probe]:
    addresses = addresses_of(policy)
    tenants = [tenant.name for tenant in policy.tenants]
    near = {sender.path.split(".")[1], *tenants[:: max(1, len(tenants) // _MOST_TENANTS)]}
    own = ".".join(sender.path.split(".")[:2])  # what a tenant sends to itself has no reason to be here
    destinations = [
        address
        for whose, some in addresses.items()
        if not whose.startswith("tenants.")
        or (whose.split(".")[1] in near and not whose.startswith(f"{own}."))
        for address in some
    ]
    return list(probes_between(_sources(policy, sender), destinations))


def _sources(policy: Policy, sender: Neighbour) -> list[Address]:
    """Return what a neighbour sends from: a rightful address of its own, or a client's if it is a gateway."""
    addresses = addresses_of(policy)
    if sender.role is Role.TENANT:
        return addresses[f"tenants.{sender.path.split('.')[1]}.other"]
    return addresses["outside"]


def _segment(edge: Reach, sender: Neighbour, probe: Probe, number: int) -> Segment:
    switch = next(each for each in edge.policy.switches if each.name == sender.at.switch)
    return Segment(
        sender.mac.to_bytes(6).hex(":"),
        switch.mac,
        str(probe.source),
        str(probe.destination),
        number,
        probe.port,
    )


def _host(lab: Lab, neighbour: Neighbour) -> str:
    mac = neighbour.mac.to_bytes(6).hex(":")
    return next(host.name for host in lab.scene().network.hosts if host.ports[0].mac == mac)


def _eye(lab: Lab, neighbour: Neighbour) -> Eye:
    host = _host(lab, neighbour)
    return Eye(lab.places.pin(host), f"{host}-eth0")
