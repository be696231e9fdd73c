"""Random frames in random open sessions on real switches: the proof has foreseen every arrival, and none is
forbidden.

A longer run: POSTERN_FRAMES=100000 POSTERN_FRAMES_SEED=7 make frames
"""

from collections.abc import Iterator
from random import Random

import pytest

from controller.compiler.compile import compile_policy
from controller.pipeline.fields import IpProto
from controller.proof.model import NetworkState
from controller.proof.prove import prove
from tests.ovs.dummy import DummyOvs
from tests.ovs.frames import craft
from tests.ovs.frames.comparison import Comparison
from tests.ovs.frames.conversation import Outcome, talk
from tests.ovs.frames.craft import SYN, Fragment, Tuple5, ip_frame, packet
from tests.ovs.frames.dissect import dissect
from tests.ovs.frames.foresight import Foresight
from tests.ovs.frames.hosts import Cast, Host
from tests.ovs.frames.network import NetworkUnderTest, Sent
from tests.ovs.frames.openings import Openings
from tests.ovs.frames.policies import Case, cases
from tests.ovs.frames.promises import Promises
from tests.ovs.frames.seeds import FRAMES, SEED
from tests.ovs.frames.traffic import Traffic

pytestmark = pytest.mark.ovs

_LEAST_EXACT = 0.95  # of the first packets that the proof lets arrive somewhere


def made(ovs: DummyOvs, case: Case) -> NetworkUnderTest:
    network = NetworkUnderTest(ovs, case.policy)
    network.install(compile_policy(case.policy, case.conditions))
    return network


def foresight_of(network: NetworkUnderTest, case: Case) -> Foresight:
    installed = {switch.name: network.installed(switch.name) for switch in case.policy.switches}
    return Foresight(prove(NetworkState(case.policy, installed, case.conditions)).arrivals)


@pytest.mark.parametrize("name", cases())
def test_what_arrives_was_foreseen_and_is_not_forbidden(ovs: DummyOvs, name: str) -> None:
    case = cases()[name]
    cast = Cast(case.policy)
    promises = Promises(cast, case.bypassed)
    broken: list[str] = []

    def watched(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
        for outcome in outcomes:
            broken.extend(why for each in outcome.arrivals if (why := promises.broken_by(each)))
            yield outcome

    def forget() -> None:
        promises.forget()
        comparison.forget()

    with made(ovs, case) as network:
        comparison = Comparison(cast, network, foresight_of(network, case))
        figures = comparison.take(watched(talk(network, Traffic(SEED, cast), FRAMES, forget)))
    print(f"{name}: {figures}")
    assert figures.not_foreseen == []
    assert broken == []
    assert figures.exact >= _LEAST_EXACT * figures.first
    assert figures.arrivals > figures.frames / 5, "too few frames arrive for the comparison to say much"


@pytest.fixture
def demo(ovs: DummyOvs) -> Iterator[NetworkUnderTest]:
    with made(ovs, cases()["demo"]) as network:
        yield network


def of_name(cast: Cast, name: str) -> Host:
    return next(host for host in cast.hosts if host.path.endswith(f".{name}"))


def piece(host: Host, tuple5: Tuple5, offset: int) -> Sent:
    body = craft.datagram(tuple5, bytes(1_400))
    part = Fragment(offset, more=offset == 0, identification=77)
    end = 1_288 if offset == 0 else len(body)
    return Sent(host.at, ip_frame(host.macs, packet(tuple5, body[offset:end], part)))


def test_a_decoys_fragment_does_not_become_part_of_an_answer_from_the_backbone(
    demo: NetworkUnderTest,
) -> None:
    cast = Cast(demo.policy)
    acme, decoy, backbone = (of_name(cast, name) for name in ("acme-gw", "decoy1", "backbone"))
    inside = next(each for each in acme.addresses if each.version == 4)
    question = Tuple5(IpProto.UDP, inside, cast.clients[0], 5_353, 53)
    sent = Sent(acme.at, ip_frame(acme.macs, packet(question, craft.datagram(question))))
    assert [arrival.at for arrival in demo.send_one(sent)] == [backbone.at]
    answer = question.reversed()
    forged, real = piece(decoy, answer, 0), piece(backbone, answer, 1_288)
    arrivals = [*demo.send_one(forged), *demo.send_one(real)]
    assert [arrival for arrival in arrivals if arrival.frame is forged] == []


def test_a_fragment_that_never_becomes_whole_leaves_behind_no_other_packet(demo: NetworkUnderTest) -> None:
    cast = Cast(demo.policy)
    for host in cast.hosts:
        for address in cast.addresses:
            own = [each for each in host.addresses if each.version == address.version]
            if own:
                demo.send_one(piece(host, Tuple5(IpProto.UDP, own[0], address, 5_353, 53), 0))
    demo.let_pieces_expire()
    openings = Openings(Random(SEED), cast)
    arrivals = []
    for _ in range(300):
        opening = openings.draw()
        body = craft.body_of(opening.tuple5, SYN)
        frame = ip_frame(opening.host.macs, packet(opening.tuple5, body))
        arrivals += demo.send_one(Sent(opening.host.at, frame))
    assert len(arrivals) > 100
    assert [each for each in arrivals if dissect(each.data).is_first] == []
