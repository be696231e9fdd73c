"""The grammar of a policy as data: from here come the checks of keys, the JSON Schema and the reference.

To add a key, add it here and in `model`: a record names the type that is made of its values.
"""

from functools import partial

from common.config import kinds
from common.config.grammar import Document, Key, ListOf, MapOf, Record, WordOr
from common.config.kinds import PORT, choice, duration, format_number, size, whole_number
from common.config.nodes import Limits
from controller.policy import build
from controller.policy.evidence import EVIDENCE
from controller.policy.kinds import BANNER, PATTERN, PORT_REF, PREFIX, URL_PATH
from controller.policy.model import (
    Action,
    Antivirus,
    Attachment,
    BareNewlines,
    ClientTls,
    Dark,
    Disposition,
    HealthSource,
    HttpProbe,
    Immunity,
    Level,
    Mail,
    MailMode,
    MailTls,
    Member,
    NulBytes,
    OnEmpty,
    OnVerdict,
    OpenSessions,
    PoolHealth,
    PoolKind,
    Protocol,
    Ring,
    ScanAction,
    ServerTls,
    Service,
    TcpProbe,
)

# A pool is one group of the switch: 256 slots, and all its buckets in one OpenFlow message of 65,535 bytes.
MOST_MEMBERS = 250


_SIZE = size("1KiB", "1GiB")
_LIMIT = whole_number("1..1000000", 1, 1_000_000)
_CAP = whole_number("1..1000000", 1, 1_000_000)
_EDGE = Key(
    ListOf(kinds.ADDRESS, 1, is_set=True),
    "the edge's own addresses on this link; the switch answers ARP and ND for them",
    True,
)

SWITCH = Record(
    {
        "dpid": Key(whole_number("datapath id", 1, 2**64 - 1), "the switch's OpenFlow datapath id", True),
        "mac": Key(kinds.MAC, "MAC that the switch shows to its neighbours", otherwise="02:50 and the dpid"),
    },
    build.switch,
    name="name",
)
LINK = Record(
    {"a": Key(PORT_REF, "one end of the trunk", True), "b": Key(PORT_REF, "the other end", True)}, build.link
)
ATTACHMENT = Record(
    {
        "at": Key(PORT_REF, "the switch port that leads there", True),
        "mac": Key(kinds.MAC, "MAC of the router on the other side", True),
        "edge": _EDGE,
    },
    Attachment,
    name="name",
)
SCAN_CONDITIONS = Record(
    {
        "client": Key(ListOf(kinds.NETWORK, 1), "the sending client's address is in one of these prefixes"),
        "sender": Key(ListOf(PATTERN, 1), "the envelope sender matches one of these patterns"),
        "recipient": Key(ListOf(PATTERN, 1), "every envelope recipient matches one of these patterns"),
        "larger_than": Key(_SIZE, "the message is larger"),
        "tls": Key(kinds.FLAG, "the client's connection is encrypted, or not"),
    }
)
SCAN_RULE = Record(
    {
        "if": Key(SCAN_CONDITIONS, "all of these hold", otherwise="always", field="conditions"),
        "then": Key(choice(ScanAction), "scan the message, or not", True, field="action"),
    },
    build.scan_rule,
)
ON_VERDICT = Record(
    {
        "infected": Key(choice(Disposition), "malware was found; never `pass-tagged`", default="reject"),
        "limits": Key(
            choice(Disposition), "a scanner's limit was hit, as by an archive bomb", default="reject"
        ),
        "encrypted": Key(choice(Disposition), "nobody can look inside", default="pass-tagged"),
        "unavailable": Key(choice(Disposition), "no scanner answered; never `reject`", default="tempfail"),
    },
    OnVerdict,
)
MAIL_TLS = Record(
    {
        "clients": Key(choice(ClientTls), "STARTTLS towards clients", default="offer"),
        "server": Key(choice(ServerTls), "STARTTLS towards the tenant's server", default="may"),
        "certificate": Key(kinds.FILE, "certificate chain (PEM) shown to clients", otherwise="self-signed"),
        "key": Key(kinds.FILE, "its private key (PEM)", otherwise="self-signed"),
    },
    MailTls,
)
MAIL = Record(
    {
        "mode": Key(choice(MailMode), "through the mail proxies, or straight to the scanners", True),
        "servers": Key(ListOf(kinds.ADDRESS, 1, is_set=True), "the tenant's own mail servers", True),
        "proxies": Key(kinds.NAME, "pool of mail proxies (mode `proxy` only)"),
        "scanners": Key(kinds.NAME, "pool of scanners", True),
        "on_empty": Key(
            choice(OnEmpty),
            "new mail while the first stop takes none: come back later, pass unscanned, or refuse for good",
            default="tempfail",
        ),
        "scan": Key(
            ListOf(SCAN_RULE),
            "first rule that holds decides (mode `proxy` only)",
            otherwise="scan everything",
        ),
        "on_verdict": Key(ON_VERDICT, "what happens to a message that is not clean"),
        "tls": Key(MAIL_TLS, "encryption on both legs"),
        "message_limit": Key(_SIZE, "largest message taken", default="25MiB"),
        "bare_newlines": Key(choice(BareNewlines), "a CR or LF alone inside a message", default="reject"),
        "nul_bytes": Key(choice(NulBytes), "a NUL inside a message", default="reject"),
    },
    partial(Mail, proxies=""),
)
SERVICE = Record(
    {
        "protocol": Key(choice(Protocol), "transport protocol", True),
        "ports": Key(ListOf(PORT, is_set=True), "destination ports; none for icmp"),
        "servers": Key(ListOf(kinds.ADDRESS, 1, is_set=True), "addresses that offer the service", True),
    },
    partial(Service, ports=()),
    name="name",
)
ANTIVIRUS = Record(
    {
        "pool": Key(kinds.NAME, "pool of anti-virus servers", otherwise="the first pool of kind antivirus"),
        "as": Key(
            ListOf(kinds.ADDRESS, 1, is_set=True),
            "the servers see this address in place of the clients' own, and know the tenant by it; "
            "one for IPv4, one for IPv6",
            True,
            field="addresses",
        ),
        "clients": Key(
            ListOf(PREFIX, is_set=True),
            "addresses of the intranet besides the tenant's prefixes; other intranets may use the same",
        ),
        "ring": Key(
            choice(Ring), "signatures as soon as they are published, or when they are promoted", default="all"
        ),
    },
    partial(Antivirus, pool=""),
)
TENANT = Record(
    {
        "prefixes": Key(ListOf(PREFIX, 1, is_set=True), "the tenant's own addresses", True),
        "gateways": Key(MapOf(ATTACHMENT, 1), "routers that lead into the tenant's intranet", True),
        "home": Key(
            kinds.NAME,
            "the switch that remembers the tenant's connections; another one ends those that are open",
            otherwise="that of the first gateway by name",
        ),
        "mail": Key(MAIL, "mail protection; without it no mail comes in"),
        "services": Key(MapOf(SERVICE), "what the tenant publishes besides mail"),
        "decoys": Key(
            kinds.NAME,
            "pool of decoys that suspicious sources meet at the tenant's addresses",
            otherwise="the first pool of kind decoy",
        ),
        "dark": Key(
            choice(Dark), "packets for addresses and ports where nothing is published", default="decoy"
        ),
        "limit_per_second": Key(
            _LIMIT,
            "new connections from the backbone a second; the rest is dropped before anybody remembers it",
            otherwise="no limit",
            field="limit_per_s",
        ),
        "antivirus": Key(ANTIVIRUS, "clients of the intranet get signatures from the anti-virus servers"),
        "consent_to_learning": Key(
            kinds.FLAG,
            "the tenant agrees that `postern persona learn` reads what his servers show, once",
            default="false",
            field="may_be_learned",
        ),
    },
    name="name",
)
MEMBER = Record(
    {
        "at": Key(PORT_REF, "the switch port that leads there", True),
        "mac": Key(kinds.MAC, "the host's MAC", True),
        "addresses": Key(ListOf(kinds.ADDRESS, 1, is_set=True), "the host's own addresses", True),
        "weight": Key(whole_number("1..100", 1, 100), "share of new connections", default="1"),
        "limit": Key(
            _LIMIT,
            "open sessions; at the limit it gets no new ones until it is below nine tenths of it",
            otherwise="the pool's `limit`",
        ),
    },
    Member,
    name="name",
)
HTTP_PROBE = Record(
    {
        "port": Key(PORT, "TCP port", True),
        "path": Key(URL_PATH, "what to GET", default="/"),
        "status": Key(whole_number("status", 100, 599), "the status of the answer", default="200"),
    },
    HttpProbe,
)
TCP_PROBE = Record(
    {
        "port": Key(PORT, "TCP port", True),
        "banner": Key(BANNER, "how what it says first begins", otherwise="to connect is enough"),
    },
    TcpProbe,
)
HEALTH = Record(
    {
        "by": Key(choice(HealthSource), "nobody, or an agent beside each member", default="agent"),
        "interval": Key(duration("100ms", "1m"), "between two looks, and two reports", default="300ms"),
        "timeout": Key(duration("50ms", "30s"), "so long an answer may take", default="800ms"),
        "falls": Key(
            whole_number("1..10", 1, 10), "bad reports in a row that take a member out", default="2"
        ),
        "rises": Key(whole_number("1..10", 1, 10), "good ones that bring it back", default="2"),
        "silence": Key(duration("1s", "10m"), "without a report for so long, a member is out", default="3s"),
        "slow_start": Key(
            duration("0s", "10m"), "a member that comes up gets its whole share after this", default="10s"
        ),
        "hold_down": Key(
            duration("0s", "10m"),
            "a member that goes down a third time within ten minutes is held down so long, "
            "then twice as long each time; 0s: never",
            default="10s",
        ),
        "signatures_max_age": Key(
            duration("1m", "400d"), "a scanner with older signatures is stale", default="7d"
        ),
        "canary_interval": Key(
            duration("0s", "1h"), "between two scans of a harmless sample; 0s: none", default="10s"
        ),
        "http": Key(ListOf(HTTP_PROBE, 1), "web pages that must answer at each member"),
        "tcp": Key(ListOf(TCP_PROBE, 1), "services that must answer at each member"),
    },
    PoolHealth,
)
POOL = Record(
    {
        "kind": Key(choice(PoolKind), "what the members do", True),
        "edge": _EDGE,
        "members": Key(MapOf(MEMBER, 1, MOST_MEMBERS), "the hosts", True),
        "vip": Key(
            ListOf(kinds.ADDRESS, 1, is_set=True), "virtual addresses of the pool (scanner, antivirus)"
        ),
        "port": Key(PORT, "TCP port at the virtual address", otherwise="3310 for scanner, 80 for antivirus"),
        "health": Key(
            WordOr(choice(HealthSource), HEALTH),
            "who says that a member is well, and what he looks at; `agent` alone takes every default",
            default="none",
        ),
        "limit": Key(_LIMIT, "limit of each member that has none of its own", otherwise="no limit"),
        "affinity": Key(
            duration("1s", "18h"),
            "a client's next session goes to the member of its last one, if it comes within this time",
        ),
        "immunity": Key(
            choice(Immunity),
            "(antivirus) what decoys catch becomes a signature for everybody: not, only in words, or really",
            default="simulate",
        ),
    },
    build.pool,
    name="name",
)
LEVEL = Record(
    {
        "score": Key(whole_number("score", 1, 1_000_000), "reached by the score of a source", True),
        "action": Key(choice(Action), "what happens to its new connections", True),
        "for": Key(duration("1s", "400d"), "how long, the first time", True, field="duration_s"),
        "sessions": Key(choice(OpenSessions), "what becomes of those that are open", default="keep"),
    },
    Level,
)
WEIGHTS = Record(
    {
        kind: Key(whole_number("0..1000", 0, 1_000), means, otherwise=str(weight))
        for kind, (weight, means) in EVIDENCE.items()
    }
)
CAPS = Record(
    {
        "whole": Key(
            _CAP, "decisions at once; then the least certain and oldest go", default="150000", field="cap"
        ),
        "origin": Key(
            _CAP, "decisions of one origin; more are refused", default="120000", field="cap_of_origin"
        ),
        "tenant": Key(
            _CAP, "decisions for one tenant alone; more are refused", default="50000", field="cap_of_tenant"
        ),
    }
)
SUSPICION = Record(
    {
        "half_life": Key(duration("1m", "30d"), "after this, a score is half of what it was", default="1h"),
        "suspect": Key(LEVEL, "the first level", otherwise="score 25: decoy for 1h"),
        "hostile": Key(LEVEL, "the second level", otherwise="score 100: decoy for 1d, open sessions cut"),
        "repeat": Key(
            whole_number("1..10", 1, 10),
            "each time again, a decision lasts so many times longer",
            default="2",
        ),
        "longest": Key(duration("1m", "400d"), "but never longer than this", default="30d"),
        "crowd": Key(
            whole_number("0..256", 0, 256),
            "so many sources of one /24 (IPv6: /48) at once make all of it suspicious; 0: never",
            default="5",
        ),
        "simulate": Key(kinds.FLAG, "only say what would be decided", default="false", field="is_simulated"),
        "limit_per_second": Key(
            whole_number("1..100000", 1, 100_000),
            "new connections that a source under `limit` may open, for each switch",
            default="10",
            field="limit_per_s",
        ),
        "caps": Key(CAPS, "how many decisions there may be"),
        "weights": Key(WEIGHTS, "what each kind of evidence adds to a score; 0: nothing"),
    },
    build.suspicion,
)
POLICY = Record(
    {
        "postern": Key(format_number(1), "format of this file", True),
        "switches": Key(MapOf(SWITCH, 1), "the switches of the edge", True),
        "links": Key(ListOf(LINK), "trunks between switches"),
        "uplinks": Key(MapOf(ATTACHMENT, 1), "routers of the backbone", True),
        "tenants": Key(MapOf(TENANT), "the organisations behind the edge"),
        "pools": Key(MapOf(POOL), "proxies, scanners, responders, decoys, anti-virus servers"),
        "suspicion": Key(SUSPICION, "how evidence about sources becomes decisions"),
    }
)
POLICY_FILE = Document("policy", "Postern policy", POLICY, Limits(size_bytes=8 * 1024 * 1024, depth=20))
