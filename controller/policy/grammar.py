"""The grammar of a policy as data, used for the checks of keys, the JSON Schema and the reference.

To add a key, add it here and in `model`: a record names the type that its values make up.
"""

from functools import partial

from common.config import kinds
from common.config.grammar import Document, Key, ListOf, MapOf, Record, WordOr
from common.config.kinds import PORT, choice, duration, format_number, number_or_off, size, whole_number
from common.config.nodes import Limits
from controller.policy import build
from controller.policy.kinds import BANNER, PATTERN, PORT_REF, PREFIX, URL_PATH
from controller.policy.model import (
    DEFAULT_LIMIT_PER_S,
    Antivirus,
    Attachment,
    BareNewlines,
    ClientTls,
    Dark,
    Disposition,
    DriftMode,
    HealthSource,
    HttpCheck,
    Immunity,
    Mail,
    MailMode,
    MailTls,
    Member,
    NulBytes,
    OnEmpty,
    OnVerdict,
    PoolHealth,
    PoolKind,
    Protocol,
    Ring,
    ScanAction,
    ServerTls,
    Service,
    TcpCheck,
)
from controller.policy.suspicion_grammar import SUSPICION

# A pool is one group of the switch: 256 slots, and all its buckets in one OpenFlow message of 65,535 bytes.
MOST_MEMBERS = 250


_SIZE = size("1KiB", "1GiB")
_LIMIT = whole_number(1, 1_000_000)
_EDGE = Key(
    ListOf(kinds.ADDRESS, 1, is_set=True),
    "the edge's own addresses on this link; the switch answers ARP and ND requests for them",
    True,
)

SWITCH = Record(
    {
        "dpid": Key(whole_number(1, 2**64 - 1, "datapath id"), "the switch's OpenFlow datapath id", True),
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
        "if": Key(
            SCAN_CONDITIONS, "conditions, all of which must be true", otherwise="always", field="conditions"
        ),
        "then": Key(choice(ScanAction), "whether to scan the message", True, field="action"),
    },
    build.scan_rule,
)
ON_VERDICT = Record(
    {
        "infected": Key(
            choice((Disposition.REJECT, Disposition.TEMPFAIL)),
            "malware was found; it is never passed on",
            default="reject",
        ),
        "limits": Key(
            choice(Disposition),
            "a scanner's limit was reached, for example by an archive bomb",
            default="reject",
        ),
        "encrypted": Key(choice(Disposition), "the content cannot be scanned", default="pass-tagged"),
        "unavailable": Key(
            choice((Disposition.TEMPFAIL, Disposition.PASS_TAGGED)),
            "no scanner answered; clean mail is never lost for this reason",
            default="tempfail",
        ),
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
        "mode": Key(
            choice(MailMode), "mail goes through the mail proxies, or directly to the scanners", True
        ),
        "servers": Key(ListOf(kinds.ADDRESS, 1, is_set=True), "the tenant's own mail servers", True),
        "proxies": Key(kinds.NAME, "pool of mail proxies (mode `proxy` only)"),
        "scanners": Key(kinds.NAME, "pool of scanners", True),
        "on_empty": Key(
            choice(OnEmpty),
            "what happens to new mail while the first pool accepts none: ask the sender to retry, deliver "
            "unscanned, or reject",
            default="tempfail",
        ),
        "scan": Key(
            ListOf(SCAN_RULE),
            "which messages are scanned; the first matching rule applies (mode `proxy` only)",
            otherwise="scan everything",
        ),
        "on_verdict": Key(ON_VERDICT, "what happens to a message, by verdict"),
        "tls": Key(MAIL_TLS, "encryption towards clients and towards the tenant's server"),
        "message_limit": Key(_SIZE, "maximum size of a message", default="25MiB"),
        "bare_newlines": Key(choice(BareNewlines), "a bare CR or LF in a message", default="reject"),
        "nul_bytes": Key(choice(NulBytes), "a NUL in a message", default="reject"),
    },
    partial(Mail, proxies=""),
)
SERVICE = Record(
    {
        "protocol": Key(choice(Protocol), "transport protocol", True),
        "ports": Key(ListOf(PORT, is_set=True), "destination ports; none for icmp"),
        "servers": Key(ListOf(kinds.ADDRESS, 1, is_set=True), "addresses of the service", True),
    },
    partial(Service, ports=()),
    name="name",
)
ANTIVIRUS = Record(
    {
        "pool": Key(kinds.NAME, "pool of anti-virus servers", otherwise="the first pool of kind antivirus"),
        "as": Key(
            ListOf(kinds.ADDRESS, 1, is_set=True),
            "source address that the servers see in place of the clients' own; it identifies the tenant. "
            "At most one for IPv4 and one for IPv6",
            True,
            field="addresses",
        ),
        "clients": Key(
            ListOf(PREFIX, is_set=True),
            "addresses of clients besides the tenant's prefixes; tenants may use the same ones",
        ),
        "ring": Key(
            choice(Ring),
            "`canary`: signatures when they are published; `all`: when they are promoted",
            default="all",
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
            "switch that tracks the tenant's connections; changing it ends open connections",
            otherwise="the switch of the first gateway by name",
        ),
        "mail": Key(MAIL, "mail protection; without it the tenant receives no mail"),
        "services": Key(MapOf(SERVICE), "services that the tenant publishes besides mail"),
        "decoys": Key(
            kinds.NAME,
            "pool of decoys to which suspicious sources are steered",
            otherwise="the first pool of kind decoy",
        ),
        "dark": Key(
            choice(Dark),
            "what happens to packets for addresses and ports where nothing is published",
            default="decoy",
        ),
        "limit_per_second": Key(
            number_or_off(1, 1_000_000),
            "maximum new connections per second from outside, and as many from the tenant; the rest is "
            "dropped before it is tracked; `off`: no limit",
            default=str(DEFAULT_LIMIT_PER_S),
            field="limit_per_s",
        ),
        "antivirus": Key(ANTIVIRUS, "how clients of the tenant reach the anti-virus servers"),
        "consent_to_learning": Key(
            kinds.FLAG,
            "the tenant agrees that `postern persona learn` reads what its servers show",
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
        "weight": Key(whole_number(1, 100), "share of new connections", default="1"),
        "limit": Key(
            _LIMIT,
            "maximum open sessions; at the limit it gets no new ones until it is below 90 %",
            otherwise="the pool's `limit`",
        ),
    },
    Member,
    name="name",
)
HTTP_PROBE = Record(
    {
        "port": Key(PORT, "TCP port", True),
        "path": Key(URL_PATH, "path of the request", default="/"),
        "status": Key(whole_number(100, 599), "status code of the response", default="200"),
    },
    HttpCheck,
)
TCP_PROBE = Record(
    {
        "port": Key(PORT, "TCP port", True),
        "banner": Key(BANNER, "beginning of what the server sends first", otherwise="a connection is enough"),
    },
    TcpCheck,
)
HEALTH = Record(
    {
        "by": Key(
            choice(HealthSource),
            "`none`: the state of the switch port; `agent`: reports of a health agent",
            default="agent",
        ),
        "interval": Key(
            duration("100ms", "1m"), "time between two checks, and between two reports", default="300ms"
        ),
        "timeout": Key(duration("50ms", "30s"), "maximum time for a response", default="800ms"),
        "falls": Key(
            whole_number(1, 10), "consecutive failed reports after which a member is down", default="2"
        ),
        "rises": Key(whole_number(1, 10), "consecutive good reports after which it is up", default="2"),
        "silence": Key(
            duration("1s", "10m"), "time without a report after which a member is down", default="3s"
        ),
        "slow_start": Key(
            duration("0s", "10m"),
            "time until a member that came up gets its full share of new sessions; 0s: off",
            default="10s",
        ),
        "hold_down": Key(
            duration("0s", "10m"),
            "how long a member that went down three times within ten minutes is held down; "
            "the time doubles with each further failure. 0s: never",
            default="10s",
        ),
        "signatures_max_age": Key(
            duration("1m", "400d"),
            "maximum age of a scanner's signatures; with older ones it is stale",
            default="7d",
        ),
        "canary_interval": Key(
            duration("0s", "1h"), "time between two scans of a harmless test file; 0s: never", default="10s"
        ),
        "http": Key(ListOf(HTTP_PROBE, 1), "web pages that each member must serve"),
        "tcp": Key(ListOf(TCP_PROBE, 1), "TCP services that must answer at each member"),
    },
    PoolHealth,
)
POOL = Record(
    {
        "kind": Key(choice(PoolKind), "role of the members", True),
        "edge": _EDGE,
        "members": Key(MapOf(MEMBER, 1, MOST_MEMBERS), "the hosts", True),
        "vip": Key(
            ListOf(kinds.ADDRESS, 1, is_set=True), "virtual addresses of the pool (scanner, antivirus)"
        ),
        "port": Key(PORT, "TCP port at the virtual address", otherwise="3310 for scanner, 80 for antivirus"),
        "health": Key(
            WordOr(choice(HealthSource), HEALTH),
            "how the health of members is determined; `agent` alone means every default",
            default="none",
        ),
        "limit": Key(
            _LIMIT, "maximum open sessions of each member without a `limit` of its own", otherwise="no limit"
        ),
        "affinity": Key(
            duration("1s", "18h"), "time within which a client's next session goes to the same member"
        ),
        "immunity": Key(
            choice(Immunity),
            "(antivirus) whether files that decoys catch become signatures for all tenants; `simulate` only "
            "records them",
            default="simulate",
        ),
    },
    build.pool,
    name="name",
)
POLICY = Record(
    {
        "postern": Key(format_number(1), "format of this file", True),
        "switches": Key(MapOf(SWITCH, 1), "the switches of the edge", True),
        "links": Key(ListOf(LINK), "trunks between switches"),
        "uplinks": Key(MapOf(ATTACHMENT, 1), "routers of the backbone", True),
        "tenants": Key(MapOf(TENANT), "the organisations behind the edge"),
        "pools": Key(MapOf(POOL), "proxies, scanners, responders, decoys, anti-virus servers"),
        "suspicion": Key(SUSPICION, "how evidence about sources leads to decisions"),
        "drift": Key(
            choice(DriftMode),
            "what happens when another client changes a switch: it is repaired at once, or only reported",
            default="repair",
        ),
    }
)
POLICY_FILE = Document("policy", "Postern policy", POLICY, Limits(size_bytes=8 * 1024 * 1024, depth=20))
