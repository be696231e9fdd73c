"""In every state of members, ports, trunks and switches, a plan says exactly what accepting it sends."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
import yaml

from cli.plans import plan_lines
from common.config.errors import ConfigErrors
from common.wire.health import HealthReport
from controller.compiler.compile import compile_policy
from controller.compiler.errors import CompileError
from controller.openflow import messages
from controller.plans.switches import Item, SwitchPlan, items_of, switch_plan
from controller.policy.model import Action, PortRef
from controller.pools.conntrack import Counts
from controller.reports import plans as reports
from controller.runtime.commands.members import DrainMember, NoteCounts, ReportMember
from controller.runtime.commands.policy import PlanPolicy, PolicyPlan, ReadDelivery
from controller.runtime.commands.suspicion import AllowSource, MakeDecisions
from controller.runtime.events import ProbeHeard
from controller.suspicion.decision import Request, Scope
from controller.sync.outcomes import PlanRefused, Port, PortChanged
from controller.sync.rehearsal import Rehearsal, held_by
from controller.sync.session import Phase
from controller.sync.state import WireFlow, WireGroup, WireKey
from controller.sync.strays import Stray
from tests.examples import IS_QUICK, examples_of
from tests.fake_switch import FakeSwitch
from tests.world import DEMO, POLICIES, FakeChannel, World

RING = (POLICIES / "ring.yaml").read_text(encoding="utf-8")
POLICIES_BY_NAME = {"demo": DEMO, "ring": RING}
Tree = dict[str, Any]


@dataclass
class Edge:
    """A world with some switches, in a state that random events have led to."""

    text: str
    rng: random.Random
    world: World = field(default_factory=World)
    switches: dict[int, FakeSwitch] = field(default_factory=dict)
    channels: dict[int, FakeChannel] = field(default_factory=dict)

    def start(self) -> None:
        self.world.start("policy.yaml", self.text)
        for dpid in self.dpids:
            self.connect(dpid)
            self.world.settle(self.channels[dpid], dpid)

    @property
    def tree(self) -> Tree:
        tree: Tree = yaml.safe_load(self.text)
        return tree

    @property
    def dpids(self) -> list[int]:
        return [each["dpid"] for each in self.tree["switches"].values()]

    def connect(self, dpid: int) -> None:
        switch = self.switches.setdefault(dpid, FakeSwitch(ports=12))
        self.channels[dpid] = self.world.connect(dpid, switch)

    def settle(self) -> None:
        while any(channel.due for channel in self.channels.values()):
            for dpid, channel in self.channels.items():
                self.world.settle(channel, dpid)

    def exchange(self, dpid: int) -> None:
        """Let one message travel."""
        for outcome in self.channels[dpid].exchange():
            self.world.hear(dpid, self.channels[dpid], outcome)

    def happen(self) -> None:
        """Let one thing happen."""
        self.rng.choice(
            [self._member, self._member, self._report, self._port, self._tick, self._count, self._decide,
             self._go_away, self._travel, self._probe, self._refuse, self._meddle]
        )()  # fmt: skip

    def _a_member(self) -> tuple[str, str]:
        return self.rng.choice(
            [(pool, name) for pool, each in self.tree["pools"].items() for name in each["members"]]
        )

    def _member(self) -> None:
        self.world.handle(DrainMember(".".join(self._a_member()), self.rng.random() < 0.7))

    def _report(self) -> None:
        for _ in range(2):
            report = HealthReport(good=self.rng.random() < 0.5, detail="as it is")
            self.world.handle(ReportMember(".".join(self._a_member()), report))

    def _port(self) -> None:
        dpid = self.rng.choice(list(self.channels) or [0])
        if dpid and not self.channels[dpid].due:
            number, is_down = self.rng.randint(1, 12), self.rng.random() < 0.7
            port = Port(number, "02:70:00:00:00:01", f"p{number}", is_down)
            self.world.hear(dpid, self.channels[dpid], PortChanged(port, self.rng.random() < 0.2))

    def _tick(self) -> None:
        self.world.tick(self.rng.choice([0.5, 1.5, 4.0, 20.0]))

    def _count(self) -> None:
        macs = [m["mac"] for pool in self.tree["pools"].values() for m in pool["members"].values()]
        self.world.handle(NoteCounts(Counts({mac: self.rng.randint(0, 2) for mac in macs})))

    def _decide(self) -> None:
        source = ip_network(f"198.51.100.{self.rng.randint(1, 250)}")
        if self.rng.random() < 0.3:
            self.world.handle(AllowSource(source, "ours"))
            return
        tenant = self.rng.choice(["", *self.tree["tenants"]])
        action = self.rng.choice(list(Action))
        self.world.handle(MakeDecisions((Request(Scope(source, tenant=tenant), action, "api"),)))

    def _go_away(self) -> None:
        dpid = self.rng.choice(self.dpids)
        if channel := self.channels.pop(dpid, None):
            self.world.disconnect(dpid, channel)
        else:
            self.connect(dpid)

    def _travel(self) -> None:
        for dpid, channel in self.channels.items():
            for _ in range(self.rng.randint(0, 3)):
                if channel.due:
                    self.exchange(dpid)

    def _probe(self) -> None:
        for link in self.tree.get("links", ()):
            (near, far) = (PortRef(s, int(p)) for s, _, p in (link[k].partition(":") for k in "ab"))
            for at, origin in ((near, far), (far, near)):
                dpid = self.tree["switches"][at.switch]["dpid"]
                if dpid in self.channels and self.rng.random() < 0.8:
                    self.world.runtime.on(ProbeHeard(dpid, self.channels[dpid], at.port, origin))

    def _refuse(self) -> None:
        """A switch refuses what it is being sent."""
        for dpid, channel in self.channels.items():
            session = self.world.core.switches.records[dpid].session
            if session.phase is Phase.SENDING:
                channel.due.clear()
                self.world.hear(dpid, channel, PlanRefused(session.attempt, "no room"))

    def _meddle(self) -> None:
        """Another client adds a flow, or deletes one of ours."""
        for dpid, channel in self.channels.items():
            if channel.due or self.rng.random() < 0.5:
                continue
            flows = self.switches[dpid].tables.flows
            foreign = WireFlow(WireKey(0, self.rng.randint(50_000, 50_003), b""), 0, b"", b"")
            request = messages.add_flow(0, foreign)
            if flows and self.rng.random() < 0.5:
                table, priority, fields = self.rng.choice(list(flows))
                known = flows[table, priority, fields]
                lost = WireFlow(WireKey(table, priority, fields), 0, b"", known.fields)
                request = messages.delete_flow(0, lost)
            self.world.report(channel, channel.switch.change(request), dpid)

    def await_repairs(self) -> None:
        """There is a pause after a repair, before the next one."""
        sessions = [record.session for record in self.world.core.switches.records.values()]
        if any(session.phase is Phase.DRIFTED for session in sessions):
            self.world.tick(0.4)
            self.settle()

    def knows_what_is_held(self, dpid: int) -> bool:
        """Return whether a switch holds what its session believes. It may not, if its plan is in doubt."""
        record = self.world.core.switches.records.get(dpid)
        if record is None or dpid not in self.switches:
            return dpid not in self.switches
        believed, tables = held_by(record.session), self.switches[dpid].tables
        flows = {WireKey(*key): (flow.cookie, flow.instructions) for key, flow in tables.flows.items()}
        groups = {number: buckets for number, (_, buckets) in tables.groups.items()}
        meters = {number: each.body for number, each in believed.meters.items()}
        return (
            flows == {key: (flow.cookie, flow.instructions) for key, flow in believed.flows.items()}
            and groups == {number: each.buckets for number, each in believed.groups.items()}
            and tables.meters == meters
        )

    def edited(self) -> str:
        """Return another policy, which may have errors."""
        tree = self.tree
        tree["drift"] = self.rng.choice(["repair", "report"])
        for _ in range(self.rng.randint(0, 3)):
            self.rng.choice(EDITS)(self.rng, tree)
        return yaml.safe_dump(tree)


def drop_member(rng: random.Random, tree: Tree) -> None:
    members = rng.choice(list(tree["pools"].values()))["members"]
    if len(members) > 1:
        del members[rng.choice(list(members))]


def add_member(rng: random.Random, tree: Tree) -> None:
    pool = rng.choice(list(tree["pools"].values()))
    at = f"{rng.choice(list(tree['switches']))}:{rng.randint(5, 30)}"
    number = rng.randint(60, 90)
    pool["members"][f"m{number}"] = {
        "at": at, "mac": f"02:cc:00:00:01:{number}", "addresses": [f"192.0.2.{number}"]
    }  # fmt: skip


def weigh_member(rng: random.Random, tree: Tree) -> None:
    members = rng.choice(list(tree["pools"].values()))["members"]
    members[rng.choice(list(members))]["weight"] = rng.randint(1, 9)


def move_member(rng: random.Random, tree: Tree) -> None:
    members = rng.choice(list(tree["pools"].values()))["members"]
    members[rng.choice(list(members))]["at"] = f"{rng.choice(list(tree['switches']))}:{rng.randint(5, 30)}"


def publish(rng: random.Random, tree: Tree) -> None:
    for tenant in tree["tenants"].values():
        if rng.random() < 0.5 and "services" in tenant:
            tenant["services"]["web"]["ports"] = [rng.randint(1_000, 9_000)]


def change_mail(rng: random.Random, tree: Tree) -> None:
    mail = rng.choice(list(tree["tenants"].values()))["mail"]
    mail["on_empty"] = rng.choice(["tempfail", "bypass", "reject"])
    if rng.random() < 0.5 and mail["mode"] == "proxy":
        del mail["proxies"]
        mail["mode"] = "direct"


def drop_tenant(rng: random.Random, tree: Tree) -> None:
    if len(tree["tenants"]) > 1:
        del tree["tenants"][rng.choice(list(tree["tenants"]))]


def move_home(rng: random.Random, tree: Tree) -> None:
    rng.choice(list(tree["tenants"].values()))["home"] = rng.choice(list(tree["switches"]))


def limit(rng: random.Random, tree: Tree) -> None:
    rng.choice(list(tree["tenants"].values()))["limit_per_second"] = rng.randint(1, 100)


def limit_sources(rng: random.Random, tree: Tree) -> None:
    tree["suspicion"] = {"limit_per_second": rng.randint(1, 100)}


def more_prefixes(rng: random.Random, tree: Tree) -> None:
    rng.choice(list(tree["tenants"].values()))["prefixes"].append(f"198.51.100.{rng.randint(0, 15) * 16}/28")


def cut_link(rng: random.Random, tree: Tree) -> None:
    if tree.get("links"):
        tree["links"].pop(rng.randrange(len(tree["links"])))


def add_switch(rng: random.Random, tree: Tree) -> None:
    tree["switches"]["s9"] = {"dpid": 9}
    tree.setdefault("links", []).append({"a": "s1:29", "b": "s9:1"})


EDITS = [
    drop_member, add_member, weigh_member, move_member, publish, change_mail, drop_tenant, move_home, limit,
    limit_sources, more_prefixes, cut_link, add_switch,
]  # fmt: skip


def an_edge_after(seed: int, text: str) -> Edge:
    edge = Edge(text, random.Random(seed))
    edge.start()
    for _ in range(edge.rng.randint(0, 12)):
        edge.happen()
        if edge.rng.random() < 0.3:
            edge.settle()
    return edge


def everything(plan: SwitchPlan) -> Counter[Item]:
    return Counter((*items_of(plan.policy), *items_of(plan.decisions)))


def repairs(plan: SwitchPlan) -> Counter[Item]:
    """What is sent to put right what others have changed: in the same plan, or in one of its own."""
    return Counter(map(repair_of, plan.strays))


def repair_of(stray: Stray) -> Item:
    thing = stray.wanted or stray.held
    assert thing is not None
    if isinstance(thing, WireFlow):
        return ("put_flows" if stray.wanted else "deleted_flows"), thing
    verb = "deleted" if not stray.wanted else "changed" if stray.held else "new"
    return f"{verb}_{'groups' if isinstance(thing, WireGroup) else 'meters'}", thing


def sent_to(channel: FakeChannel, first: int) -> SwitchPlan:
    return switch_plan("", Rehearsal(tuple(channel.plans[first:]), True))


@dataclass
class Outcome:
    """What was planned, and what happened then. `at_first`: what was sent to switches that were connected.

    `sent`: in all, also to those that came back.
    `believed`: switches that really held what their sessions believed. `is_as_foreseen`: no further
    condition of the network has changed since.
    """

    planned: PolicyPlan
    at_first: dict[int, SwitchPlan]
    sent: dict[int, SwitchPlan]
    believed: set[int]
    is_as_foreseen: bool


def plan_and_apply(edge: Edge, text: str) -> Outcome:
    """Plan a policy, apply it, and let switches come back that are away."""
    before = {dpid: len(channel.plans) for dpid, channel in edge.channels.items()}
    believed = {dpid for dpid in edge.dpids if edge.knows_what_is_held(dpid)}
    planned = edge.world.handle(PlanPolicy("policy.yaml", text))
    edge.world.apply(text, "policy.yaml")
    foreseen = edge.world.core.in_force.present.conditions
    edge.text = text
    edge.settle()
    at_first = {dpid: sent_to(edge.channels[dpid], first) for dpid, first in before.items()}
    edge.await_repairs()
    for dpid in [dpid for dpid in edge.dpids if dpid not in edge.channels]:
        edge.connect(dpid)
        edge.settle()
        before[dpid] = 0
    sent = {dpid: sent_to(edge.channels[dpid], first) for dpid, first in before.items()}
    return Outcome(planned, at_first, sent, believed, foreseen == edge.world.core.in_force.present.conditions)


def assert_said(planned: PolicyPlan, plan: SwitchPlan, sent: SwitchPlan) -> None:
    """The line about a switch has the counts of what it was sent."""
    name = f"{plan.switch}: "
    (line,) = [each for each in plan_lines(reports.plan(planned), False) if each.startswith(name)]
    if plan.strays:
        count = len(plan.strays)
        where = "one place" if count == 1 else f"{count} places"
        assert f"what others have changed in {where} is put right" in line
        return
    policy, decisions = sent.policy, sent.decisions
    assert (str(policy) if not policy.is_empty else "nothing to send") in line
    assert (f"allow-list: {decisions.size} flows and meters" in line) is (decisions.size > 0)


def assert_nothing_about_others(planned: PolicyPlan, before: Tree, after: Tree) -> None:
    """No line names a tenant that stays as it is, unless something else changes that its mail depends on."""
    is_all_else_the_same = all(
        before.get(key) == after.get(key) for key in ("pools", "switches", "links", "uplinks")
    )
    for change in planned.changes:
        kind, _, name = change.subject.partition(" ")
        if kind == "tenant" and is_all_else_the_same:
            assert before["tenants"].get(name) != after["tenants"].get(name), change


def known(planned: PolicyPlan) -> Iterable[SwitchPlan]:
    return (each for each in planned.switches if each.is_known)


CASES = [("demo", seed) for seed in range(examples_of(30))]
CASES += [("ring", seed) for seed in range(2 if IS_QUICK else 10)]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_what_a_plan_says_is_what_is_sent(name: str, seed: int) -> None:
    edge = an_edge_after(seed, POLICIES_BY_NAME[name])
    for _ in range(3):
        edited, before = edge.edited(), edge.tree
        state = edge.world.core.in_force.present
        try:
            outcome = plan_and_apply(edge, edited)
        except (ConfigErrors, CompileError):
            assert edge.world.core.in_force.present == state
            continue
        planned, sent = outcome.planned, outcome.sent
        dpid_of = {name: each["dpid"] for name, each in edge.tree["switches"].items()}
        assert_nothing_about_others(planned, before, edge.tree)
        # A switch that was being read reports its ports: then conditions change, and more is sent.
        for each in planned.switches if outcome.is_as_foreseen else ():
            dpid = dpid_of[each.switch]
            if each.is_known or dpid in outcome.believed:
                assert everything(each) | repairs(each) == everything(sent[dpid]), each.switch
                assert_said(planned, each, sent[dpid])
        accepted = edge.world.core.accepted
        assert accepted and accepted.states == compile_policy(
            accepted.policy, edge.world.core.in_force.present.conditions
        )
        rows = {row.switch: row for row in edge.world.handle(ReadDelivery()).switches}
        for each in known(planned):
            is_same = set(items_of(each.policy)) == set(
                items_of(outcome.at_first[dpid_of[each.switch]].policy)
            )
            assert rows[each.switch].is_done
            assert each.strays or (rows[each.switch].differences == ()) is is_same
        edge.happen()
