"""The tables of the pipeline, in the order a packet meets them.

Names are the contract; numbers may change with this file. A packet only ever
goes forward, and what matches nothing is dropped, in every table.
"""

from dataclasses import dataclass
from enum import IntEnum


class Table(IntEnum):
    ADMISSION = 0
    NEIGHBOUR = 1
    ADVERTISE = 2
    SOURCE = 3
    TRACK = 4
    RESUME = 5
    SUSPICION = 6
    SERVICE = 7
    ROUTE = 8
    COMMIT = 9
    FORWARD = 10

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class TableDoc:
    matches: str
    does: str
    stage: str = ""  # the stage file that makes its flows, if its name is another


DOCS: dict[Table, TableDoc] = {
    Table.ADMISSION: TableDoc(
        "port, neighbour's MAC, the switch's own MAC",
        "writes role and party (tenant or pool) into registers; anything unexpected ends here",
    ),
    Table.NEIGHBOUR: TableDoc(
        "ARP and neighbour solicitations for the edge's own addresses",
        "answers ARP in the switch; turns a solicitation into an advertisement",
    ),
    Table.ADVERTISE: TableDoc(
        "the advertisement that `neighbour` began",
        "completes it with the switch's MAC and sends it back",
        "neighbour",
    ),
    Table.SOURCE: TableDoc(
        "role, party, source prefix",
        "drops forged sources: a tenant uses its own addresses, the backbone never a tenant's or ours",
    ),
    Table.TRACK: TableDoc(
        "role, destination, L4 port",
        "chooses the conntrack zone of this leg and looks the connection up",
    ),
    Table.RESUME: TableDoc(
        "conntrack label",
        "known connection: follow its label to the party it has always had; unknown: go on",
    ),
    Table.SUSPICION: TableDoc(
        "source of a new connection",
        "consequences of decisions; today every source passes",
    ),
    Table.SERVICE: TableDoc(
        "zone, party, destination, L4 port",
        "which pool, or straight to the server; no such service: drop",
    ),
    Table.ROUTE: TableDoc("destination prefix", "writes the MAC of the gateway that leads there"),
    Table.COMMIT: TableDoc(
        "zone",
        "writes both parties' MACs into the connection's label; TTL; source MAC",
    ),
    Table.FORWARD: TableDoc("destination MAC", "the port that leads there"),
}
