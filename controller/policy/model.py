"""The frozen model of a policy: what the operator wrote, after parsing and checking.

Owns the words of the policy. Knows nothing about YAML, files, switches or flows.
Every object is immutable and compares by value, so two policies with the same
meaning are equal regardless of the order and layout of their files. The place of a
rule in the file is kept separately, in `Policy.places`, by rule path
(`tenants.acme.mail`), so that moving a line does not change the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from common.config.errors import Place

# What hosts must know as well is declared once, in `common.wire`; here it has the policy's names.
from common.wire.antivirus import Immunity as Immunity
from common.wire.antivirus import Ring as Ring
from common.wire.decisions import Action as Action
from common.wire.decisions import OpenSessions as OpenSessions
from common.wire.health import CheckTimes, ScannerRules
from common.wire.health import HttpCheck as HttpCheck
from common.wire.health import TcpCheck as TcpCheck
from common.wire.mail import BareNewlines as BareNewlines
from common.wire.mail import ClientTls as ClientTls
from common.wire.mail import Disposition as Disposition
from common.wire.mail import MailRules as MailRules
from common.wire.mail import MailTls as MailTls
from common.wire.mail import NulBytes as NulBytes
from common.wire.mail import OnVerdict as OnVerdict
from common.wire.mail import ScanAction as ScanAction
from common.wire.mail import ScanRule as ScanRule
from common.wire.mail import ServerTls as ServerTls
from common.wire.values import Address as Address
from common.wire.values import Network as Network


class PoolKind(StrEnum):
    MAIL_PROXY = "mail-proxy"
    SCANNER = "scanner"
    DECOY = "decoy"
    ANTIVIRUS = "antivirus"
    RESPONDER = "responder"  # answers mail that no pool can take; opens no connections


class HealthSource(StrEnum):
    NONE = "none"  # a member is healthy while its switch port is up
    AGENT = "agent"  # each member's health agent reports; no traffic before its first good report


@dataclass(frozen=True)
class PoolHealth(CheckTimes, ScannerRules):
    """How a member's health is determined, and how soon a change counts. Times in seconds."""

    by: HealthSource = HealthSource.NONE
    falls: int = 2  # consecutive bad reports that take a member out
    rises: int = 2  # consecutive good reports that bring it back
    silence_s: float = 3.0
    slow_start_s: float = 10.0  # 0: off
    hold_down_s: float = 10.0  # 0: off
    http: tuple[HttpCheck, ...] = ()
    tcp: tuple[TcpCheck, ...] = ()


class MailMode(StrEnum):
    PROXY = "proxy"  # switch -> proxies -> scanners when a rule says scan
    DIRECT = "direct"  # switch -> scanners, whose own gateway scans everything


class OnEmpty(StrEnum):
    """What happens to new mail while the tenant's first stop takes no new sessions."""

    TEMPFAIL = "tempfail"  # a responder replies 4xx, the sender keeps it and tries again
    BYPASS = "bypass"  # straight to the tenant's own server, unscanned
    REJECT = "reject"  # a responder replies 5xx, the sender gives up


class Dark(StrEnum):
    """What happens to packets for a tenant's addresses and ports where nothing is published."""

    DECOY = "decoy"  # a decoy answers, as the tenant's own host would
    DROP = "drop"


class DriftMode(StrEnum):
    """What happens when another client changes a switch."""

    REPAIR = "repair"  # it is put right at once
    REPORT = "report"  # it is reported, until an operator applies a policy or the difference goes away


class Protocol(StrEnum):
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"  # ICMP for IPv4 servers, ICMPv6 for IPv6 servers


@dataclass(frozen=True, slots=True, order=True)
class PortRef:
    """One OpenFlow port of one switch, written `s1:4` in the policy."""

    switch: str
    port: int

    def __str__(self) -> str:
        return f"{self.switch}:{self.port}"


@dataclass(frozen=True, slots=True)
class Switch:
    name: str
    dpid: int  # 1 .. 2**64-1
    mac: str  # the MAC that this switch shows to its neighbours, lower case with colons


@dataclass(frozen=True, slots=True)
class Link:
    """A trunk between two switches."""

    a: PortRef
    b: PortRef


@dataclass(frozen=True, slots=True)
class Attachment:
    """A neighbour of the edge on one port: a backbone router or a tenant's gateway."""

    name: str
    at: PortRef
    mac: str
    edge: tuple[Address, ...]  # the edge's own addresses there: it answers ARP and ND for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail(MailRules):
    """A tenant's mail: its path through the edge, and the rules that gateways apply."""

    mode: MailMode
    servers: tuple[Address, ...]  # the tenant's own mail servers, port 25
    proxies: str  # pool name; empty in mode `direct`
    scanners: str  # pool name
    on_empty: OnEmpty = OnEmpty.TEMPFAIL


@dataclass(frozen=True, slots=True)
class Service:
    """A service that a tenant publishes besides mail; traffic goes straight to its servers."""

    name: str
    protocol: Protocol
    ports: tuple[int, ...]  # empty exactly for icmp
    servers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Antivirus:
    """How the clients of an intranet reach the anti-virus servers."""

    pool: str  # pool name; empty: the first pool of anti-virus servers by name
    addresses: tuple[Address, ...]  # what the servers see in place of the clients' own; one per family
    clients: tuple[Network, ...] = ()  # besides the tenant's prefixes; other intranets may use the same ones
    ring: Ring = Ring.ALL


# A tenant's new connections per second in each direction. A forged first packet stays in a table of
# connections for at most a minute, so a flood takes at most 120,000 of the 3,000,000 places that Open
# vSwitch has by default.
DEFAULT_LIMIT_PER_S = 2_000


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    prefixes: tuple[Network, ...]
    gateways: tuple[Attachment, ...]
    home: str = ""  # the switch that tracks this tenant's connections
    mail: Mail | None = None
    services: tuple[Service, ...] = ()
    decoys: str = ""  # pool name; empty: the first pool of decoys by name, if there is one
    dark: Dark = Dark.DECOY
    limit_per_s: int = DEFAULT_LIMIT_PER_S  # new connections in each direction; 0: no limit
    may_be_learned: bool = False  # a persona may be learned from the tenant's servers
    antivirus: Antivirus | None = None


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    at: PortRef
    mac: str
    addresses: tuple[Address, ...]
    weight: int = 1  # 1 .. 100
    limit: int = 0  # open sessions; 0: no limit


@dataclass(frozen=True, slots=True)
class Pool:
    name: str
    kind: PoolKind
    members: tuple[Member, ...]
    edge: tuple[Address, ...]  # the edge's own addresses on the members' links
    vip: tuple[Address, ...] = ()  # needed for `scanner` and `antivirus`
    port: int = 0  # TCP port at the VIP; 3310 by default for `scanner`
    health: PoolHealth = PoolHealth()
    affinity_s: int = 0  # how long a client's next session goes to the member of the last one; 0: off
    immunity: Immunity = Immunity.SIMULATE  # of `antivirus` only


@dataclass(frozen=True, slots=True)
class Level:
    """What happens when a source's score reaches a number. Times in seconds."""

    score: int
    action: Action
    duration_s: float
    sessions: OpenSessions = OpenSessions.KEEP


SUSPECT = Level(25, Action.DECOY, 3_600.0)
HOSTILE = Level(100, Action.DECOY, 86_400.0, OpenSessions.CUT)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How evidence leads to decisions. `weights`: of kinds of evidence, where not the default."""

    half_life_s: float = 3_600.0
    suspect: Level = SUSPECT
    hostile: Level = HOSTILE
    repeat: int = 2  # each further decision lasts this many times longer
    longest_s: float = 30 * 86_400.0
    is_simulated: bool = False
    crowd: int = 5  # this many suspicious sources make their network suspicious; 0: never
    limit_per_s: int = 10  # new connections of a source under a decision `limit`
    cap: int = 150_000
    cap_of_origin: int = 120_000
    cap_of_tenant: int = 50_000
    weights: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """Tuples are sorted by name, so equal meaning is equal value."""

    switches: tuple[Switch, ...] = ()
    links: tuple[Link, ...] = ()
    uplinks: tuple[Attachment, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    pools: tuple[Pool, ...] = ()
    suspicion: Suspicion = Suspicion()
    drift: DriftMode = DriftMode.REPAIR
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, hash=False)
