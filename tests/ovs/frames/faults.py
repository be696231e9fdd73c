"""Faults: changes of installed flows, groups and meters, as a stranger or a mistake might make them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from controller.pipeline.tables import Table
from tests.ovs.frames.flow_text import FlowText, GroupText, read_flows, read_groups
from tests.ovs.frames.foreign import Foreign
from tests.ovs.frames.hosts import Cast, Host
from tests.ovs.frames.network import NetworkUnderTest

Command = tuple[str, ...]
_MASKED = re.compile(r"/(\d+)$")
_LABEL_HALVES = {"[0..47]": "[48..95]", "[48..95]": "[0..47]"}


@dataclass(frozen=True, slots=True)
class Fault:
    """Commands of ovs-ofctl(8) for one switch."""

    what: str
    switch: str
    commands: tuple[Command, ...]

    def cause(self, network: NetworkUnderTest) -> bool:
        """Change the switch. Return False, with nothing changed, if the switch refuses the change."""
        try:
            for verb, *arguments in self.commands:
                network.ovs.ofctl(verb, self.switch, *arguments)
        except AssertionError:
            return False
        network.control.forget_flows()
        return True

    @property
    def preferred(self) -> "Fault":
        """Return the same fault at a slightly higher priority.

        Which of two flows of the same priority a switch takes is its own choice (OpenFlow 1.4, 5.3). Open
        vSwitch makes it once for all packets, so only this shows what the other choice lets through.
        """
        commands = tuple(
            tuple(map(_raised, each)) if each[0] == "add-flow" else each for each in self.commands
        )
        return replace(self, commands=commands)


class Faults:
    """Draws faults of a network as it is installed when this object is made."""

    def __init__(self, chance: Random, cast: Cast, network: NetworkUnderTest) -> None:
        self._chance = chance
        self._cast = cast
        names = [switch.name for switch in cast.policy.switches]
        self._at = names[0]
        self._flows = {name: _flows_of(network, name) for name in names}
        self._groups = {name: _groups_of(network, name) for name in names}
        self._foreign = Foreign(chance, cast, self._flows)
        self._kinds: tuple[tuple[int, str, Callable[[FlowText], FlowText | None]], ...] = (
            (3, "field left out", self._without_a_field),
            (2, "wider mask", self._wider_mask),
            (2, "another priority", self._another_priority),
            (2, "drop turned into goto", self._no_drop),
            (2, "another zone", self._another_zone),
            (2, "another half of the label", self._another_half),
            (2, "another role", self._another_role),
            (2, "another party", self._another_party),
            (2, "another port out", self._another_output),
            (2, "another next table", self._another_goto),
            (2, "another MAC written", self._another_mac),
            (1, "another TCP port", self._another_tcp_port),
            (1, "another address", self._another_address),
            (1, "no action", lambda flow: replace(flow, actions="drop")),
        )

    def draw(self) -> Fault:
        while True:
            choice = self._chance.random()
            if choice < 0.42:
                fault = self._foreign.draw()
                made = Fault(fault[0], fault[1], fault[2])
            elif choice < 0.52:
                made = self._of_group()
            elif choice < 0.6:
                made = self._removed()
            else:
                made = self._changed()
            if made.commands:
                return made

    def _switch(self) -> str:
        return self._chance.choice([name for name, flows in self._flows.items() if flows])

    def _removed(self) -> Fault:
        switch = self._switch()
        flow = self._chance.choice(self._flows[switch])
        return Fault(f"removed: {flow}", switch, (_delete(flow),))

    def _changed(self) -> Fault:
        """Change one part of one flow of ours; tables of which there are many flows are not preferred."""
        self._at = switch = self._switch()
        weights = [weight for weight, _, _ in self._kinds]
        while True:
            ((_, what, change),) = self._chance.choices(self._kinds, weights)
            table = self._chance.choice(sorted({flow.table for flow in self._flows[switch]}))
            flow = self._chance.choice([each for each in self._flows[switch] if each.table == table])
            changed = change(flow)
            if changed and changed != flow:
                commands = (_delete(flow), ("add-flow", str(changed)))
                return Fault(f"{what}: {flow} became {changed}", switch, commands)

    def _of_group(self) -> Fault:
        switch = self._switch()
        if not self._groups[switch]:
            return Fault("", switch, ())
        group = self._chance.choice(self._groups[switch])
        changed = self._changed_group(group, switch)
        return Fault(f"group: {group} became {changed}", switch, (("mod-group", str(changed)),))

    def _changed_group(self, group: GroupText, switch: str) -> GroupText:
        buckets = list(group.buckets)
        place, host = self._chance.randrange(len(buckets)), self._chance.choice(self._cast.hosts)
        way = self._chance.choice(("MAC", "direct", "fewer", "more", "table", "all"))
        if way == "MAC":
            buckets[place] = re.sub(
                r"set_field:[0-9a-f:]{17}->eth_dst", f"set_field:{host.mac}->eth_dst", buckets[place]
            )
        elif way == "direct" or way == "more":
            port = self._chance.choice(self._cast.ports_of(switch))
            buckets.insert(place, f"watch_port:{port},actions=output:{port}")
            del buckets[place + (1 if way == "direct" else 0) : place + (2 if way == "direct" else 0)]
        elif way == "fewer" and len(buckets) > 1:
            del buckets[place]
        elif way == "table":
            buckets[place] = re.sub(r"resubmit\(,\d+\)", f"resubmit(,{Table.FORWARD.value})", buckets[place])
        elif way == "all":
            return replace(group, kind="type=all", buckets=tuple(_unwatched(each) for each in buckets))
        return replace(group, buckets=tuple(buckets))

    def _without_a_field(self, flow: FlowText) -> FlowText | None:
        single = [each for each in flow.fields if "=" in each]
        return flow.without(self._chance.choice(single)) if single else None

    def _wider_mask(self, flow: FlowText) -> FlowText | None:
        masked = [each for each in flow.fields if re.match(r"(nw|ipv6)_(src|dst)=", each)]
        if not masked:
            return None
        name, _, value = self._chance.choice(masked).partition("=")
        found = _MASKED.search(value)
        whole = 128 if name.startswith("ipv6") else 32
        length = int(found[1]) if found else whole
        wider = max(1, length - self._chance.choice((1, 2, 8, whole)))
        return flow.with_value(name, f"{_MASKED.sub('', value)}/{wider}")

    def _another_priority(self, flow: FlowText) -> FlowText | None:
        return replace(flow, priority=self._chance.choice((0, 1, 500, 5_000, 12_000, 17_000, 25_000, 40_000)))

    def _no_drop(self, flow: FlowText) -> FlowText | None:
        if flow.actions != "drop" or flow.table >= Table.FORWARD:
            return None
        return replace(flow, actions=f"goto_table:{flow.table + 1}")

    def _another_zone(self, flow: FlowText) -> FlowText | None:
        if self._chance.random() < 0.5 and "->reg2" in flow.actions:
            leg = self._chance.randrange(1, 6)
            return replace(
                flow, actions=re.sub(r"set_field:0x\w+->reg2", f"set_field:{leg:#x}->reg2", flow.actions)
            )
        zones = sorted(
            {z for flows in self._flows.values() for f in flows for z in re.findall(r"zone=(\d+)", f.actions)}
        )
        if "zone=" not in flow.actions:
            return None
        return replace(flow, actions=re.sub(r"zone=\d+", f"zone={self._chance.choice(zones)}", flow.actions))

    def _another_half(self, flow: FlowText) -> FlowText | None:
        def other(found: re.Match[str]) -> str:
            return found[1] + _LABEL_HALVES[found[2]]

        halves = re.compile(r"(CT_LABEL)(\[0\.\.47\]|\[48\.\.95\])")
        return replace(flow, actions=halves.sub(other, flow.actions, count=self._chance.choice((0, 1))))

    def _another_role(self, flow: FlowText) -> FlowText | None:
        role = f"{self._chance.randrange(1, 7):#x}"
        if "->reg0" in flow.actions:
            return replace(
                flow, actions=re.sub(r"set_field:0x\w+->reg0", f"set_field:{role}->reg0", flow.actions)
            )
        return flow.with_value("reg0", role)

    def _another_party(self, flow: FlowText) -> FlowText | None:
        party = self._chance.choice(self._foreign.parties)
        if "->reg1" in flow.actions:
            return replace(
                flow, actions=re.sub(r"set_field:0x\w+->reg1", f"set_field:{party}->reg1", flow.actions)
            )
        return flow.with_value("reg1", party)

    def _another_output(self, flow: FlowText) -> FlowText | None:
        port = self._chance.choice(self._cast.ports_of(self._at))
        return replace(flow, actions=re.sub(r"output:\d+", f"output:{port}", flow.actions))

    def _another_goto(self, flow: FlowText) -> FlowText | None:
        if flow.table >= Table.FORWARD or "goto_table" not in flow.actions:
            return None
        table = self._chance.randrange(flow.table + 1, Table.FORWARD + 1)
        return replace(flow, actions=re.sub(r"goto_table:\d+", f"goto_table:{table}", flow.actions))

    def _another_mac(self, flow: FlowText) -> FlowText | None:
        host: Host = self._chance.choice(self._cast.hosts)
        if "->eth_dst" in flow.actions:
            return replace(
                flow,
                actions=re.sub(
                    r"set_field:[0-9a-f:]{17}->eth_dst", f"set_field:{host.mac}->eth_dst", flow.actions
                ),
            )
        return flow.with_value(self._chance.choice(("dl_src", "dl_dst")), host.mac)

    def _another_tcp_port(self, flow: FlowText) -> FlowText | None:
        name = self._chance.choice(("tp_dst", "tp_src"))
        return flow.with_value(name, str(self._chance.choice((22, 25, 80, 3310))))

    def _another_address(self, flow: FlowText) -> FlowText | None:
        name = self._chance.choice(("nw_dst", "nw_src", "ipv6_dst", "ipv6_src"))
        version = 6 if name.startswith("ipv6") else 4
        addresses = [each for each in self._cast.addresses if each.version == version]
        return flow.with_value(name, str(self._chance.choice(addresses)))


def _flows_of(network: NetworkUnderTest, switch: str) -> Sequence[FlowText]:
    return read_flows(network.ovs.ofctl("dump-flows", switch, "--no-stats", "--no-names"))


def _groups_of(network: NetworkUnderTest, switch: str) -> Sequence[GroupText]:
    return read_groups(network.ovs.ofctl("dump-groups", switch, "--no-names"))


def _raised(text: str) -> str:
    return re.sub(r"priority=(\d+)", lambda found: f"priority={int(found[1]) + 1}", text, count=1)


def _delete(flow: FlowText) -> Command:
    return ("del-flows", "--strict", flow.strict_key)


def _unwatched(bucket: str) -> str:
    return re.sub(r"(weight|watch_port|watch_group):\d+,", "", bucket)
