"""The tables of the pipeline, in the order in which a packet passes them.

Names are stable; numbers may change with this file. A packet only ever goes
forward, and every table drops packets that match no other flow.
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
        "writes role and party (tenant or pool) into registers; packets from a trunk are "
        "accepted if they are for this switch or in transit; all others are dropped",
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
        "the MAC of a neighbour of another switch, on a packet carried to its home",
        "writes role and party, as `admission` does for this switch's own neighbours",
    ),
    Table.SOURCE: TableDoc(
        "role, party, source prefix",
        "drops forged sources: a tenant may use only its own addresses, the backbone never a tenant's, the "
        'edge\'s or a special-purpose one; "packet too large" passes from private addresses',
    ),
    Table.HOME: TableDoc(
        "role, party, the tenant's address",
        "sends the packet to the tenant's home switch, if that is another one",
    ),
    Table.TRACK: TableDoc(
        "role, destination, L4 port",
        "chooses the conntrack zone of this leg and looks the connection up; fragments from a tenant show "
        "no port, and are looked up on the relay leg first",
    ),
    Table.RESUME: TableDoc(
        "conntrack label; of hosts of pools, also the MAC",
        "a known connection follows its label to the same party as before, and hosts of pools send in their "
        "own sessions only; an unknown one continues",
    ),
    Table.SUSPICION: TableDoc(
        "source of a new connection, and the decision's tenant, protocol and port",
        "applies decisions: sources on the allow-list pass; otherwise the most specific decision applies "
        "(decoy, drop, limit, or only count); all others pass",
    ),
    Table.SERVICE: TableDoc(
        "zone, party, destination, L4 port",
        "sends the connection to a pool or straight to the server; drops it if no such service exists",
    ),
    Table.RECALL: TableDoc(
        "pool, source address",
        "holds flows that the switch itself has learned: the member that this client had last; "
        "looked up only on the way to `affinity`",
        "affinity",
    ),
    Table.AFFINITY: TableDoc(
        "pool, the member that `recall` found",
        "sends the connection to that member if it still takes new sessions, otherwise to the pool",
    ),
    Table.REMEMBER: TableDoc(
        "pool, the member that the pool chose",
        "learns a flow of `recall`, which expires some time after the client's last new session",
        "affinity",
    ),
    Table.ROUTE: TableDoc("destination prefix", "writes the MAC of the gateway that leads there"),
    Table.COMMIT: TableDoc(
        "zone",
        "sends the packet on with a smaller TTL, and writes both parties' MACs into the connection's label; "
        "nothing follows a commit",
    ),
    Table.FORWARD: TableDoc(
        "destination MAC",
        "sends the packet out of the port that leads there, or over the trunks; "
        "on a neighbour's link, writes the switch's MAC as source",
    ),
    Table.SAMPLE: TableDoc(
        "copies of packets to unpublished addresses and ports",
        "sends them to the controller, as evidence, up to a limit per second",
    ),
}
