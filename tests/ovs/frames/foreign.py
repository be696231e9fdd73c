"""Foreign flows, groups and meters: what somebody adds beside ours."""

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from controller.pipeline.tables import Table
from tests.ovs.frames.flow_text import FlowText
from tests.ovs.frames.hosts import Cast, Host

Parts = tuple[str, str, tuple[tuple[str, ...], ...]]  # in words, the switch, commands
_NEW_GROUP, _NEW_METER = 77, 77
_LATER = (Table.SOURCE, Table.HOME, Table.TRACK, Table.RESUME, Table.SUSPICION, Table.SERVICE, Table.ROUTE,
          Table.COMMIT, Table.FORWARD)  # fmt: skip


class Foreign:
    """Draws additions at a high priority. `parties`: the registers' numbers of tenants and pools."""

    def __init__(self, chance: Random, cast: Cast, flows: Mapping[str, Sequence[FlowText]]) -> None:
        self._chance = chance
        self._cast = cast
        self._flows = flows
        written = re.compile(r"set_field:(0x\w+)->reg1")
        texts = [flow.actions for each in flows.values() for flow in each]
        self.parties = sorted({party for text in texts for party in written.findall(text)})
        self._kinds: tuple[Callable[[str], tuple[str, ...]], ...] = (
            self._normal,
            self._port_to_port,
            self._to_port_by_address,
            self._delivered_elsewhere,
            self._skipping,
            self._skipping,
            self._other_role,
            self._other_role,
            self._steered,
            self._steered,
            self._learning,
            self._metered,
            self._of_new_group,
            self._relabelled,
            self._harmless,
        )

    def draw(self) -> Parts:
        switch = self._chance.choice(sorted(self._flows))
        kind = self._chance.choice(self._kinds)
        flows = kind(switch)
        commands = tuple(("add-flow", flow) for flow in flows)
        if kind == self._metered:
            commands = (("add-meter", f"meter={_NEW_METER},pktps,band=type=drop,rate=1000"), *commands)
        if kind == self._of_new_group:
            port = self._port(switch)
            group = f"group_id={_NEW_GROUP},type=select,bucket=actions=output:{port}"
            commands = (("add-group", group), *commands)
        return f"foreign: {'; '.join(' '.join(each) for each in commands)}", switch, commands

    def _host(self, switch: str) -> Host:
        here = [host for host in self._cast.hosts if host.at.switch == switch]
        return self._chance.choice(here or list(self._cast.hosts))

    def _port(self, switch: str) -> int:
        return self._chance.choice(self._cast.ports_of(switch))

    def _priority(self) -> int:
        return self._chance.choice((60_000, 60_000, 60_000, 35_000, 500))

    def _packets(self) -> str:
        """Return a match on addresses and ports, or on everything."""
        address = self._chance.choice(self._cast.addresses)
        field = ("ip", "nw_dst") if address.version == 4 else ("ipv6", "ipv6_dst")
        tcp = "tcp" if address.version == 4 else "tcp6"
        return self._chance.choice((
            "", "ip,", "ipv6,", "tcp,tp_dst=25,", "tcp6,tp_dst=25,", "udp,", "icmp,",
            f"{field[0]},{field[1]}={address},", f"{field[0]},{field[1].replace('dst', 'src')}={address},",
            f"{tcp},{field[1]}={address},tp_dst=25,", f"{tcp},{field[1]}={address},tp_dst=80,",
        ))  # fmt: skip

    def _flow(self, table: int, match: str, actions: str) -> tuple[str, ...]:
        return (f"table={table},priority={self._priority()},{match}actions={actions}",)

    def _normal(self, switch: str) -> tuple[str, ...]:
        match = self._chance.choice(("", "", self._packets(), f"in_port={self._host(switch).at.port},"))
        return self._flow(
            self._chance.choice((0, 0, 0, Table.SERVICE)),
            match,
            self._chance.choice(("NORMAL", "NORMAL", "FLOOD", "ALL")),
        )

    def _port_to_port(self, switch: str) -> tuple[str, ...]:
        one, other = self._port(switch), self._port(switch)
        rewrite = self._chance.choice(("", f"set_field:{self._host(switch).mac}->eth_dst,", "strip_vlan,"))
        return self._flow(0, f"in_port={one},{self._packets()}", f"{rewrite}output:{other}")

    def _to_port_by_address(self, switch: str) -> tuple[str, ...]:
        table = self._chance.choice((0, Table.SOURCE, Table.TRACK, Table.RESUME, Table.SERVICE, Table.ROUTE))
        return self._flow(table, self._packets(), f"output:{self._port(switch)}")

    def _delivered_elsewhere(self, switch: str) -> tuple[str, ...]:
        host = self._chance.choice(self._cast.hosts)
        actions = f"set_field:{host.edge_mac}->eth_src,output:{self._port(switch)}"
        return self._flow(Table.FORWARD, f"dl_dst={host.mac},", actions)

    def _skipping(self, switch: str) -> tuple[str, ...]:
        table = self._chance.choice((Table.SOURCE, Table.HOME, Table.RESUME, Table.SUSPICION, Table.SERVICE))
        later = self._chance.choice([each for each in _LATER if each > table])
        role = self._chance.choice(("", f"reg0={self._chance.randrange(1, 7)},"))
        return self._flow(table, role + self._packets(), f"goto_table:{later.value}")

    def _other_role(self, switch: str) -> tuple[str, ...]:
        role, party = self._chance.randrange(1, 7), self._chance.choice(self.parties)
        later = self._chance.choice((Table.SOURCE, Table.HOME, Table.TRACK))
        match = f"in_port={self._host(switch).at.port},{self._packets()}"
        return self._flow(
            0, match, f"set_field:{role}->reg0,set_field:{party}->reg1,goto_table:{later.value}"
        )

    def _steered(self, switch: str) -> tuple[str, ...]:
        table = self._chance.choice(
            (Table.RESUME, Table.SUSPICION, Table.SERVICE, Table.SERVICE, Table.ROUTE)
        )
        later = self._chance.choice([each for each in (Table.COMMIT, Table.FORWARD) if each > table])
        zone = self._chance.choice(("", "reg2=1,", "reg2=2,"))
        mac = self._chance.choice(self._cast.hosts).mac
        return self._flow(table, zone + self._packets(), f"set_field:{mac}->eth_dst,goto_table:{later.value}")

    def _learning(self, switch: str) -> tuple[str, ...]:
        """A flow makes the switch learn where a MAC is, as a learning switch does."""
        table = self._chance.choice((Table.SOURCE, Table.HOME, Table.SERVICE))
        learn = (
            f"learn(table={self._chance.choice((0, 0, Table.FORWARD.value))},priority=61000,"
            "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])"
        )
        next_table = self._chance.choice([each for each in _LATER if each > table])
        return self._flow(table, self._packets(), f"{learn},goto_table:{next_table.value}")

    def _metered(self, switch: str) -> tuple[str, ...]:
        later = self._chance.choice((Table.HOME, Table.TRACK))
        return self._flow(Table.SOURCE, self._packets(), f"meter:{_NEW_METER},goto_table:{later.value}")

    def _of_new_group(self, switch: str) -> tuple[str, ...]:
        table = self._chance.choice((0, Table.RESUME, Table.SERVICE, Table.ROUTE))
        return self._flow(table, self._packets(), f"group:{_NEW_GROUP}")

    def _relabelled(self, switch: str) -> tuple[str, ...]:
        """A connection is committed with a label that somebody else chose."""
        one, other = self._chance.choice(self._cast.hosts), self._chance.choice(self._cast.hosts)
        zones = sorted({z for f in self._flows[switch] for z in re.findall(r"zone=(\d+)", f.actions)})
        label = int(one.mac.replace(":", ""), 16) << 48 | int(other.mac.replace(":", ""), 16)
        actions = (
            f"ct(commit,zone={self._chance.choice(zones or ['11'])},exec(set_field:{label:#x}->ct_label)),"
            f"goto_table:{Table.FORWARD.value}"
        )
        match = self._chance.choice(("", "reg2=1,", "reg2=2,", "reg2=3,")) + self._chance.choice(
            ("ip,", "ipv6,")
        )
        return self._flow(Table.COMMIT, match, actions)

    def _harmless(self, switch: str) -> tuple[str, ...]:
        table = self._chance.choice([Table.ADMISSION, *_LATER])
        return self._flow(table, self._packets(), self._chance.choice(("drop", "CONTROLLER:128", "LOCAL")))
