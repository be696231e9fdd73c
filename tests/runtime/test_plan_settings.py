"""A plan names the settings that accepting it puts back, and those that stay: the rest of "plan is apply"."""

import random
from dataclasses import dataclass, field

import pytest

from common.config.errors import ConfigErrors
from controller.compiler.errors import CompileError
from controller.drift.model import OF_TABLES
from controller.plans.settings import SettingsPlan
from controller.runtime.commands.policy import PlanPolicy, PolicyPlan
from controller.runtime.events import BridgesRead
from tests.examples import IS_QUICK, examples_of
from tests.fake_database import FakeDatabase, carry_out_repairs
from tests.runtime.test_plan_states import POLICIES_BY_NAME, Edge

PORTS = 12
_FLAGS = (4, 32, 64, 4 | 32, 1, 1 | 32, 0)  # no-receive, no-forward, no-packet-in, down


@dataclass
class SettingsEdge(Edge):
    """An edge whose settings others change: over OpenFlow, and in Open vSwitch's database."""

    database: FakeDatabase = field(default_factory=lambda: FakeDatabase((), 0))
    carried: int = 0

    def start(self) -> None:
        super().start()
        self.database = FakeDatabase(self.dpids, PORTS)
        self.read_database()

    def read_database(self) -> None:
        self.world.runtime.on(BridgesRead(self.database.records()))

    def let_time_pass(self, seconds: float = 0.5) -> None:
        """Let a turn of readings pass, and `ovs-vsctl` do what it was asked for."""
        self.world.tick(seconds)
        self.carry_out()

    def carry_out(self) -> None:
        self.settle()
        self.carried = carry_out_repairs(self.world, self.database, self.carried)
        self.settle()

    def come_to_rest(self) -> None:
        self.read_database()
        for _ in range(6):
            self.let_time_pass()

    def happen(self) -> None:
        if self.rng.random() < 0.5:
            super().happen()
        else:
            self.rng.choice([self._setting, self._database, self._database, self._look])()

    def _look(self) -> None:
        self.read_database()
        self.let_time_pass()

    def _port(self) -> None:
        """A port goes down, or disappears, on the switch itself, so that a later reading says the same."""
        dpid, number = self.rng.choice(list(self.channels) or [0]), self.rng.randint(1, PORTS)
        if dpid:
            self._set_port(dpid, number, self.rng.choice(_FLAGS))

    def _set_port(self, dpid: int, number: int, config: int) -> None:
        switch = self.switches[dpid]
        if number in switch.port_numbers:
            self.world.report(self.channels[dpid], [switch.set_port(number, config)], dpid)

    def _setting(self) -> None:
        for dpid in list(self.channels):
            switch = self.switches[dpid]
            match self.rng.randrange(3):
                case 0:
                    self._set_port(dpid, self.rng.randint(1, PORTS), self.rng.choice(_FLAGS))
                case 1:
                    switch.fragments = self.rng.randrange(4)
                case 2:
                    switch.table_config = {self.rng.randrange(9): self.rng.choice([4, 8, 12])}

    def _database(self) -> None:
        dpid = int(self.rng.choice(list(self.database.rows["Bridge"])).removeprefix("b"))
        self.rng.choice(DATABASE_CHANGES)(self.rng, self.database, dpid)
        if self.rng.random() < 0.8:
            self.read_database()


def unset_fail_mode(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.put("Bridge", f"b{dpid}", fail_mode=rng.choice(["standalone", "secure"]))


def set_in_band(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.rows["Bridge"][f"b{dpid}"]["other_config"].pop("disable-in-band", None)


def set_protocols(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.put("Bridge", f"b{dpid}", protocols=["OpenFlow10", "OpenFlow14"])


def add_mirror(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.put("Mirror", "m1", name="tap")
    database.put("Bridge", f"b{dpid}", mirrors=["m1"])


def add_collector(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.put("sFlow", "f1", targets='"192.0.2.9:6343"', sampling=rng.choice([64, 400]))
    database.put("Bridge", f"b{dpid}", sflow=["f1"])


def change_controllers(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.put("Controller", "c9", target="tcp:192.0.2.9:6653")
    ours = database.rows["Bridge"][f"b{dpid}"]["controller"][0]
    database.put("Bridge", f"b{dpid}", controller=rng.choice([[], ["c9"], [ours, "c9"]]) or [ours])
    database.put("Controller", ours, type=rng.choice(["primary", "service"]))


def limit_table(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.put("Flow_Table", "t1", flow_limit=7, name=rng.choice(["", "few"]))
    database.put("Bridge", f"b{dpid}", flow_tables={"4": "t1"})


def tag_port(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    number = rng.randint(1, PORTS)
    database.put(
        "Port", f"p{dpid}-{number}", tag=rng.choice([7, 0, None]), protected=rng.choice([True, False])
    )
    database.put("Interface", f"i{dpid}-{number}", ingress_policing_rate=rng.choice([0, 1_000]))


def change_device(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    interface = f"i{dpid}-{rng.randint(1, PORTS)}"
    match rng.randrange(3):
        case 0:
            database.put("Interface", interface, type=rng.choice(["gre", ""]))
        case 1:
            database.put("Interface", interface, options={"peer": "elsewhere"})
        case 2:
            database.put("Interface", interface, ofport=rng.randint(1, 40))


def renumber(rng: random.Random, database: FakeDatabase, dpid: int) -> None:
    database.rows["Bridge"][f"b{dpid}"]["other_config"]["datapath-id"] = "00000000000000ff"
    database.put("Bridge", f"b{dpid}", datapath_type=rng.choice(["netdev", ""]))


DATABASE_CHANGES = [
    unset_fail_mode, set_in_band, set_protocols, add_mirror, add_collector, change_controllers, limit_table,
    tag_port, change_device, renumber,
]  # fmt: skip


def open_settings(edge: Edge, switch: str) -> set[str]:
    """Return what `postern drift` shows about a switch, outside of its tables."""
    found = (each.difference for each in edge.world.core.drift.ledger.open_on(switch))
    return {str(each) for each in found if each.kind not in OF_TABLES}


def said(settings: SettingsPlan) -> tuple[set[str], set[str]]:
    return {each.said for each in settings.put_back}, {each.said for each in settings.staying}


def planned_settings(planned: PolicyPlan) -> dict[str, SettingsPlan]:
    return {each.switch: each.settings for each in planned.switches}


CASES = [("demo", seed) for seed in range(examples_of(20))]
CASES += [("ring", seed) for seed in range(1 if IS_QUICK else 4)]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_what_a_plan_says_about_settings_is_what_becomes_of_them(name: str, seed: int) -> None:
    edge = SettingsEdge(f"drift: report\n{POLICIES_BY_NAME[name]}", random.Random(seed))
    edge.start()
    for _ in range(3):
        for _ in range(edge.rng.randint(0, 8)):
            edge.happen()
        edge.come_to_rest()  # so that all is seen; with `drift: report`, nothing is put back meanwhile
        edited = edge.edited()
        plan = PlanPolicy("policy.yaml", edited)
        try:
            planned = planned_settings(edge.world.handle(plan))
            edge.world.apply(edited, "policy.yaml")
        except (ConfigErrors, CompileError):
            continue
        edge.text = edited
        edge.come_to_rest()
        for switch, settings in planned.items():
            put_back, staying = said(settings)
            assert open_settings(edge, switch) == staying, switch
            assert not put_back & staying
