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
    VISITOR = 3
    SOURCE = 4
    HOME = 5
    TRACK = 6
    RESUME = 7
    SUSPICION = 8
    SERVICE = 9
    RECALL = 10
    AFFINITY = 11
    REMEMBER = 12
    ROUTE = 13
    COMMIT = 14
    FORWARD = 15
    SAMPLE = 16

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
        "writes role and party (tenant or pool) into registers; from a trunk: ours, or passing through; "
        "anything unexpected ends here",
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
    Table.VISITOR: TableDoc(
        "the MAC of a neighbour of another switch, which brought its packet home",
        "writes role and party, as `admission` does for our own neighbours",
    ),
    Table.SOURCE: TableDoc(
        "role, party, source prefix",
        "drops forged sources: a tenant uses its own addresses, the backbone never a tenant's or ours",
    ),
    Table.HOME: TableDoc(
        "role, party, the tenant's address",
        "sends the packet to the switch that remembers the tenant's connections, if that is another one",
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
        "source of a new connection, and what a decision says of tenant, protocol and port",
        "what decisions want: the allow-list passes, then the closest decision holds: on to the decoys, "
        "drop, limit, or only count; others pass",
    ),
    Table.SERVICE: TableDoc(
        "zone, party, destination, L4 port",
        "which pool, or straight to the server; no such service: drop",
    ),
    Table.RECALL: TableDoc(
        "pool, source address",
        "flows that the switch itself has learned: the member that this client had last; "
        "only looked up on the way to `affinity`",
        "affinity",
    ),
    Table.AFFINITY: TableDoc(
        "pool, the member that `recall` found",
        "to that member if it still takes new sessions, else to the pool",
    ),
    Table.REMEMBER: TableDoc(
        "pool, the member that the pool chose",
        "learns a flow of `recall`, which is forgotten some time after the client's last new session",
        "affinity",
    ),
    Table.ROUTE: TableDoc("destination prefix", "writes the MAC of the gateway that leads there"),
    Table.COMMIT: TableDoc(
        "zone",
        "writes both parties' MACs into the connection's label; TTL",
    ),
    Table.FORWARD: TableDoc(
        "destination MAC", "the port that leads there, or the trunks; on a neighbour's link, our source MAC"
    ),
    Table.SAMPLE: TableDoc(
        "copies of packets for what nobody publishes",
        "to the controller, as evidence; only so many a second",
    ),
}
