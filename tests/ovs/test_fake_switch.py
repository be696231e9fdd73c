"""The fake switch of the fast tests against a real one: same messages, same tables, same refusals."""

from dataclasses import replace

import pytest

from controller.compiler.compile import compile_policy
from controller.openflow.conversation import Conversation
from controller.openflow.encode import to_wire
from controller.policy.parse import parse_policy
from controller.sync.outcomes import Outcome, PlanConfirmed, PlanRefused, SwitchRead
from controller.sync.plan import Plan, difference
from controller.sync.state import WireState
from tests.fake_switch import FakeSwitch
from tests.openflow.client import SwitchClient
from tests.ovs.dummy import DummyOvs
from tests.ovs.edge import DEMO

pytestmark = pytest.mark.ovs


class FakeClient:
    """What `SwitchClient` offers, over a fake switch."""

    def __init__(self) -> None:
        self._switch, self._conversation = FakeSwitch(), Conversation()

    def read(self) -> SwitchRead:
        outcome = self._exchange(self._conversation.ask_state(1))
        assert isinstance(outcome, SwitchRead)
        return outcome

    def send(self, plan: Plan) -> Outcome | None:
        return self._exchange(self._conversation.send_plan(1, plan))

    def _exchange(self, due: list[bytes]) -> Outcome | None:
        last = None
        while due:
            for reply in self._switch.receive(due.pop(0)):
                last = self._conversation.receive(reply) or last
            due += self._conversation.take_outgoing()
        return last


def _wire(old: str = "", new: str = "") -> WireState:
    return to_wire(
        compile_policy(parse_policy(DEMO.read_text(encoding="utf-8").replace(old, new), "p.yaml"))["s1"]
    )


def _comparable(state: WireState) -> tuple[object, object]:
    flows = {key: (flow.cookie, flow.instructions) for key, flow in state.flows.items()}
    return flows, dict(state.groups)


def test_a_fake_switch_holds_what_a_real_one_holds_after_every_plan(ovs: DummyOvs) -> None:
    ovs.add_bridge("s1", 1, ports=11)
    fake = FakeClient()
    states = [
        _wire(),
        _wire("{at: s1:5, mac", "{weight: 7, at: s1:5, mac"),
        _wire("kind: mail-proxy", "kind: mail-proxy\n    affinity: 1m"),
        WireState(),
        _wire(),
    ]
    with SwitchClient(ovs.management_socket("s1")) as real:
        for desired in states:
            plan = difference(desired, real.read().installed)
            assert isinstance(real.send(plan), PlanConfirmed)
            assert isinstance(fake.send(plan), PlanConfirmed)
            assert _comparable(fake.read().installed) == _comparable(real.read().installed)


def test_a_fake_switch_refuses_what_a_real_one_refuses(ovs: DummyOvs) -> None:
    ovs.add_bridge("s1", 1, ports=11)
    fake = FakeClient()
    whole = difference(_wire(), WireState())
    group = whole.new_groups[0]
    bad_plans = [
        replace(whole, new_groups=()),  # flows to groups that do not exist
        Plan(new_groups=(group, group)),
        Plan(changed_groups=(group,)),
    ]
    with SwitchClient(ovs.management_socket("s1")) as real:
        for plan in bad_plans:
            answers = [client.send(plan) for client in (real, fake)]
            reasons = [answer.reason for answer in answers if isinstance(answer, PlanRefused)]
            assert len(reasons) == 2
            assert reasons[0].split(" (")[0] == reasons[1].split(" (")[0]
            assert _comparable(fake.read().installed) == _comparable(real.read().installed)


def test_deleting_a_group_takes_the_flows_along_on_both(ovs: DummyOvs) -> None:
    ovs.add_bridge("s1", 1, ports=11)
    fake = FakeClient()
    whole = difference(_wire(), WireState())
    with SwitchClient(ovs.management_socket("s1")) as real:
        for plan in (whole, Plan(deleted_groups=whole.new_groups[:1])):
            assert isinstance(real.send(plan), PlanConfirmed)
            assert isinstance(fake.send(plan), PlanConfirmed)
        left = fake.read().installed
        assert _comparable(left) == _comparable(real.read().installed)
        assert 0 < len(left.flows) < len(whole.put_flows)
