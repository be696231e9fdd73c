"""The grammar of the sensors' settings as data: every key, its default and its limits are here."""

from enum import StrEnum

from common.config import kinds
from common.config.errors import quoted
from common.config.grammar import Document, Key, ListOf, MapOf, Record, Type, WordOr
from common.config.kinds import Kind, Wrong, choice, decimal, duration, format_number, matching, whole_number
from common.config.nodes import Limits
from common.wire.decisions import Action, OpenSessions

_MOST_SENSORS, _MOST_TENANTS, _MOST_PREFIXES, _MOST_ORIGINS = 100, 10_000, 1_000, 20
IGNORE = "ignore"
_NAME = matching("name", "[a-z0-9][a-z0-9_-]{0,39}", "use a-z, 0-9, - and _, at most 40 characters")
_TENANT_NAME = matching("name of a tenant", "[a-z0-9][a-z0-9_.-]{0,62}", "write it as the policy does")
_WORD = kinds.line("word", 100)


class Format(StrEnum):
    LIST = "list"
    JSON_LINES = "json-lines"
    CSV = "csv"


def _read_source(text: str) -> str:
    if not text.startswith(("/", "http://", "https://")):
        raise Wrong(
            f"{quoted(text)} is not a valid source", "write an https:// or http:// URL, or an absolute path"
        )
    source: str = (kinds.FILE if text.startswith("/") else kinds.URL).read(text)
    return source


def _read_delimiter(text: str) -> str:
    character = {"tab": "\t"}.get(text, text)
    if len(character) != 1:
        raise Wrong(f"{quoted(text)} is not a valid delimiter", "write one character, or tab")
    return character


_SOURCE = Kind("URL or absolute path", _read_source, {"type": "string", "pattern": "^(/|https?://)"})
_DELIMITER = Kind("one character, or `tab`", _read_delimiter, {"type": "string", "pattern": "^(.|tab)$"})


def _meaning(confidence: str) -> dict[str, Key]:
    """The keys of every source of decisions."""
    return {
        "confidence": Key(decimal(0.0, 1.0), "how sure the source is", default=confidence),
        "tenant": Key(_WORD, "the tenant to which the decisions apply", default="", otherwise="all tenants"),
        "simulated": Key(kinds.FLAG, "record the decisions without enforcing them", default="false"),
        "sessions": Key(choice(OpenSessions), "what happens to open sessions", default="keep"),
    }


FEED = Record(
    {
        "source": Key(_SOURCE, "where the feed is; it may be compressed with gzip", True),
        "format": Key(
            choice(Format),
            "`list`: an address or prefix on each line, comments after `#` or `;`; `json-lines`: an object "
            "on each line, as Spamhaus DROP has it; `csv`",
            default="list",
        ),
        "key": Key(_WORD, "json-lines: the key of the prefix", default="cidr"),
        "column": Key(_WORD, "csv: the column's number, or its name with `header: true`", default="1"),
        "delimiter": Key(_DELIMITER, "csv: what separates columns", default=","),
        "header": Key(kinds.FLAG, "csv: the first line holds names of columns", default="false"),
        "action": Key(choice(sorted(Action)), "what happens to an address of the feed", default="drop"),
        **_meaning("0.9"),
        "refresh": Key(duration("1s", "30d"), "time between two fetches", default="12h"),
        "duration": Key(
            duration("10s", "366d"),
            "how long a decision lasts unless it is renewed; longer than `refresh`",
            otherwise="three times `refresh`",
        ),
        "keep_for": Key(
            duration("1m", "366d"), "how old the last good copy may be and still be renewed", default="7d"
        ),
        "time_limit": Key(duration("1s", "10m"), "time limit for one fetch", default="60s"),
        "size_limit": Key(
            kinds.size("1B", "256MiB"),
            "size limit for one fetch, and for its decompressed content",
            default="16MiB",
        ),
        "shrink_limit": Key(kinds.PERCENTAGE, "how much the feed may lose at once", default="50%"),
        "unreadable_limit": Key(kinds.PERCENTAGE, "how many lines may be unreadable", default="10%"),
        "most_entries": Key(whole_number(1, 100_000), "maximum number of entries", default="100000"),
        "may_be_empty": Key(kinds.FLAG, "an empty feed is accepted", default="false"),
    }
)
CROWDSEC = Record(
    {
        "url": Key(kinds.URL, "CrowdSec's local API", default="http://127.0.0.1:8080"),
        "key_file": Key(kinds.FILE, "the bouncer's key, read at each request", True),
        "poll": Key(duration("100ms", "1h"), "time between two requests", default="10s"),
        "actions": Key(
            MapOf(choice((*sorted(Action), IGNORE)), names=_WORD, label="TYPE"),
            "action for each of CrowdSec's types; replaces the default as a whole. Types that are not named "
            "are `other`, which is ignored if it is absent",
            default="{ban: decoy, captcha: decoy, other: watch}",
        ),
        "origins": Key(
            ListOf(_WORD, at_most=_MOST_ORIGINS),
            "only these of CrowdSec's own origins: `[crowdsec, cscli, CAPI, lists]`",
            otherwise="all",
        ),
        **_meaning("0.8"),
    }
)
SURICATA = Record(
    {
        "file": Key(
            kinds.FILE,
            "an EVE log (JSON lines), which is followed across rotation, truncation and restarts",
        ),
        "stream": Key(kinds.FILE, "or a socket that `postern-sensors` listens on (`filetype: unix_stream`)"),
        "datagram": Key(kinds.FILE, "or a socket that `postern-sensors` listens on (`filetype: unix_dgram`)"),
        "least_severity": Key(whole_number(1, 255), "alerts with a greater number are skipped", default="3"),
    }
)
TENANTS: Type = WordOr(
    kinds.FILE,
    MapOf(
        ListOf(kinds.NETWORK, at_most=_MOST_PREFIXES, is_distinct=False),
        at_most=_MOST_TENANTS,
        names=_TENANT_NAME,
    ),
)
SENSORS = Record(
    {
        "postern-sensors": Key(format_number(1), "format of this file", True),
        "tenants": Key(
            TENANTS,
            "the tenants' addresses: the path of the file that the controller writes for decoys, reloaded "
            "when it changes, or prefixes by name. `suricata` needs it; it keeps tenants' own addresses out "
            "of feeds",
        ),
        "feeds": Key(MapOf(FEED, at_most=_MOST_SENSORS, names=_NAME), "lists of bad sources", default="{}"),
        "crowdsec": Key(CROWDSEC, "one CrowdSec API"),
        "suricata": Key(
            MapOf(SURICATA, at_most=_MOST_SENSORS, names=_NAME), "logs of Suricata", default="{}"
        ),
    }
)
SENSORS_FILE = Document(
    "sensors", "Postern settings of sensors", SENSORS, Limits(size_bytes=1024 * 1024, depth=10)
)
