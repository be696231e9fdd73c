"""The fake switch of the fast tests against a real one: same messages, same tables, same refusals."""

from dataclasses import replace

import pytest

from controller.compiler.compile import compile_policy
from controller.openflow import messages
from controller.openflow.actions import encode_instructions
from controller.openflow.conversation import Conversation
from controller.openflow.encode import to_wire
from controller.openflow.messages import GroupCommand
from controller.pipeline.flows import ToGroup
from controller.policy.parse import parse_policy
from controller.sync.outcomes import (
    PORT_UNTOUCHED,
    FlowsChanged,
    Fragments,
    GroupsRead,
    GroupsTouched,
    MonitorStarted,
    Outcome,
    PlanCommitted,
    PlanConfirmed,
    PlanRefused,
    PortConfig,
    PortsRead,
    SwitchRead,
    SwitchSettings,
    TableConfig,
)
from controller.sync.plan import Plan, difference
from controller.sync.settings import SettingsReset
from controller.sync.state import WireFlow, WireGroup, WireKey, WireState
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


def test_a_fake_switch_reports_what_a_real_one_reports(ovs: DummyOvs) -> None:
    ovs.add_bridge("s1", 1, ports=3)
    fake, said = FakeSwitch(), Conversation()
    for request in said.ask_monitor():
        for reply in fake.receive(request):
            assert said.receive(reply) == MonitorStarted()
    out = encode_instructions((ToGroup(5),), None)
    flow = WireFlow(WireKey(7, 9, b""), 4, out, b"")
    steps: list[tuple[list[str], bytes]] = [
        (
            ["add-group", "s1", "group_id=5,type=select,bucket=output:1"],
            messages.put_group(0, GroupCommand.ADD, WireGroup(5, 1, b"")),
        ),
        (["add-flow", "s1", "cookie=4,table=7,priority=9,actions=group:5"], messages.add_flow(0, flow)),
        (["del-flows", "s1", "--strict", "table=7,priority=9"], messages.delete_flow(0, flow)),
        (["add-flow", "s1", "cookie=4,table=7,priority=9,actions=group:5"], messages.add_flow(0, flow)),
        (["del-groups", "s1", "group_id=5"], messages.delete_group(0, 5)),
    ]
    with SwitchClient(ovs.management_socket("s1")) as real:
        assert real.watch() == MonitorStarted()
        for by_hand, request in steps:
            ovs.ofctl(*by_hand)
            for report in fake.change(request):
                outcome = said.receive(report)
                assert outcome is not None
                assert real.await_outcome(FlowsChanged, GroupsTouched) == outcome


def test_our_own_plan_is_no_change_by_others_on_both(ovs: DummyOvs) -> None:
    ovs.add_bridge("s1", 1, ports=11)
    fake, said = FakeSwitch(), Conversation()
    plan = difference(_wire(), WireState())
    with SwitchClient(ovs.management_socket("s1")) as real:
        real.watch()
        real.begin(plan)
        seen = [real.await_outcome(object), real.await_outcome(object)]
    due, told = [*said.ask_monitor(), *said.send_plan(1, plan)], []
    while due:
        told += [said.receive(reply) for reply in fake.receive(due.pop(0))]
        due += said.take_outgoing()
    kinds = [type(each) for each in told if each is not None]
    assert kinds == [MonitorStarted, FlowsChanged, PlanCommitted, PlanConfirmed]
    assert [each.updates for each in told if isinstance(each, FlowsChanged)] == [()]
    assert [type(each) for each in seen] == [FlowsChanged, PlanCommitted]
    assert isinstance(seen[0], FlowsChanged)
    assert seen[0].updates == ()


def test_a_switch_shows_its_settings_and_takes_them_back(ovs: DummyOvs) -> None:
    """The fake one and a real one; a turn reads them together with groups and meters."""
    ovs.add_bridge("s1", 1, ports=4)
    ovs.ofctl("set-frags", "s1", "drop")
    ovs.ofctl("mod-port", "s1", "4", "no-forward")
    ovs.ofctl("mod-table", "s1", "3", "evict")
    ovs.ofctl("mod-table", "s1", "5", "vacancy:20,80")
    fake, conversation = FakeSwitch(ports=4), Conversation()
    fake.fragments, fake.miss_send_len = Fragments.DROP, 0
    fake.table_config = {3: TableConfig.EVICTION, 5: TableConfig.VACANCY_EVENTS}
    fake.set_port(4, PortConfig.NO_FORWARD)
    wrong = SwitchSettings(Fragments.DROP, 0, {3: TableConfig.EVICTION, 5: TableConfig.VACANCY_EVENTS})
    right = SwitchSettings(Fragments.NORMAL, 0, {})
    with SwitchClient(ovs.management_socket("s1")) as real:
        for settings, config in ((wrong, PortConfig.NO_FORWARD), (right, PORT_UNTOUCHED)):
            assert real.read_groups().settings == settings
            (seen,) = exchange(fake, conversation, conversation.ask_groups(1))
            assert isinstance(seen, GroupsRead) and seen.settings == settings
            (port,) = (each for each in real.read().ports if each.number == 4)
            assert port.config == config == PortConfig(fake.port_config[4])
            (after,) = (each for each in real.reset(SettingsReset((port,), (3, 5), 0)) if each.number == 4)
            assert after.config == PORT_UNTOUCHED
            of_fake = replace(port, mac="02:70:00:00:00:04")
            due = conversation.reset(SettingsReset((of_fake,), (3, 5), 0))
            (read,) = exchange(fake, conversation, due)
            assert isinstance(read, PortsRead)


def exchange(switch: FakeSwitch, conversation: Conversation, due: list[bytes]) -> list[Outcome]:
    outcomes = [conversation.receive(reply) for sent in due for reply in switch.receive(sent)]
    return [each for each in outcomes if each is not None]
