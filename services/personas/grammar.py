"""The grammar of a persona as data: every key of every protocol, with the defaults of a plain Debian."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import ip_address

from common.config import kinds
from common.config.errors import quoted
from common.config.grammar import Document, Key, ListOf, MapOf, PairOf, Record, Type, Variants, WordOr
from common.config.kinds import Kind, Wrong, choice, format_number, matching, whole_number
from common.config.nodes import Limits
from common.wire.values import Address
from services.personas import build, catalogue
from services.personas.model import TLS_VERSIONS, Banner, Closed, Ftp, Imap, Pop3, Protocol, Smtp, Speech, Tls

MOST_HOSTS, MOST_SERVICES = 500, 200
_MOST_ITEMS = 500
_LARGEST_WINDOW = 65_535  # the window in a SYN-ACK is never scaled
_CODE = re.compile(r"([1-5][0-9][0-9])([ -]|$)")


def _read_address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise Wrong(f"{quoted(text)} is not a valid IP address", "write it like 203.0.113.10") from None


def _read_smtp_reply(text: str) -> str:
    reply: str = TEXT.read(text)
    if not reply or not all(_CODE.match(line) for line in reply.splitlines()):
        raise Wrong(f"{quoted(text)} is not a valid SMTP reply", "begin each line with three digits")
    return reply


def _read_reply_at_end(text: str) -> str:
    reply = _read_smtp_reply(text)
    if not reply.startswith("4"):
        raise Wrong("must begin with 4", "use 451: a decoy neither accepts nor bounces a message")
    return reply


def _read_optional_reply(text: str) -> str:
    return _read_smtp_reply(text) if text else ""


LINE = kinds.line()
TEXT = kinds.lines()
_LOWER = Kind(LINE.name, lambda text: str(LINE.read(text)).lower(), LINE.schema)
_SHORT_LINE = kinds.line(longest=64)  # RFC 5280, ub-common-name and ub-organization-name
NAME = matching("name", "[a-z0-9][a-z0-9_.-]{0,62}", "use small letters, digits, -, _ and .")
_ADDRESS = Kind("IP address", _read_address, kinds.ADDRESS.schema)
_DNS_NAME = matching(
    "host name",
    r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?",
    "write names as certificates carry them",
)
_ALPN = matching("protocol for ALPN", "(?!h2$)[!-~]{1,255}", "a decoy offers http/1.1, and not h2")
_HEADER = matching("name of a header", r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", "use letters, digits and -")
_PATH = matching("path", r"/[^\x00-\x20\x7f]{0,1999}", "begin it with /, without spaces")
_IDENTIFICATION = matching(
    "SSH identification",
    r"SSH-(2\.0|1\.99)-[\x21-\x7e][\x20-\x7e]{0,240}",
    "write it as in RFC 4253, 4.2: SSH-2.0-OpenSSH_9.2p1",
)
_SMTP_REPLY = Kind("SMTP reply", _read_smtp_reply, TEXT.schema)
_SMTP_KINDS = {
    "end": Kind("SMTP reply that begins with 4", _read_reply_at_end, TEXT.schema),
    "need_ehlo": Kind("SMTP reply, or empty", _read_optional_reply, TEXT.schema),
}


def _listing(words: Iterable[str]) -> str:
    return f"[{', '.join(words)}]"


def _lines(means: str, usual: Iterable[str] = (), kind: Kind = LINE) -> Key:
    """A list of lines as they are sent: their order matters, and a line may be repeated."""
    return Key(ListOf(kind, at_most=_MOST_ITEMS, is_distinct=False), means, default=_listing(usual))


def _replies(usual: Mapping[str, str], kind_by_name: Mapping[str, Kind], other: Kind) -> Key:
    keys = {
        name: Key(kind_by_name.get(name, other), "text of this reply", default=text)
        for name, text in usual.items()
    }
    return Key(Record(keys), "replies that differ from those of Debian's server, by name", default="{}")


TLS = Record(
    {
        "names": Key(ListOf(_DNS_NAME, 1, _MOST_ITEMS), "names in the certificate", True),
        "issuer": Key(_SHORT_LINE, "common name of the issuer", default=""),
        "organization": Key(_SHORT_LINE, "organisation of the issuer", default=""),
        "days": Key(whole_number(1, 10_000), "validity in days", default="365"),
        "oldest": Key(choice(TLS_VERSIONS), "oldest version that is offered", default="1.2"),
        "alpn": Key(ListOf(_ALPN, at_most=_MOST_ITEMS), "protocols that are offered", default="[]"),
        "key": Key(choice(("ec", "rsa")), "kind of key: P-256, or RSA with 2048 bits", default="ec"),
    },
    Tls,
)
_TLS = {"tls": Key(TLS, "encryption; required where a protocol begins with TLS", otherwise="not offered")}


def _speech(protocols: tuple[Protocol, ...], into: Callable[..., Speech], keys: Mapping[str, Key]) -> Record:
    """The record of a service that speaks one of these protocols."""
    return Record(
        {
            "protocol": Key(choice(protocols), "the protocol at the port", True),
            **keys,
            "ttl": Key(whole_number(0, 255), "hop limit of this service; 0: that of the host", default="0"),
        },
        partial(build.service, into),
        name="port",
    )


SMTP = _speech(
    (Protocol.SMTP, Protocol.SMTPS),
    Smtp,
    {
        "name": Key(LINE, "the server's name, `{name}` in replies", True),
        "banner": Key(TEXT, "greeting", default="220 {name} ESMTP Postfix"),
        "ehlo": _lines("keywords after EHLO", ("PIPELINING", "8BITMIME")),
        "hang_up": Key(
            ListOf(choice(catalogue.SMTP, "name of a reply")),
            "replies after which the server closes the connection",
            default=_listing(catalogue.SMTP_HANGS_UP),
        ),
        "domains": _lines("its own domains; it appears to relay mail for others", kind=_LOWER),
        "recipients": _lines("valid addresses in its own domains; none: all addresses", kind=_LOWER),
        "replies": _replies(catalogue.SMTP, _SMTP_KINDS, _SMTP_REPLY),
        **_TLS,
    },
)
PAGE = Record(
    {
        "status": Key(whole_number(100, 599), "status code", otherwise="200, or that of the error"),
        "reason": Key(LINE, "reason phrase", otherwise="the usual phrase for the status"),
        "headers": Key(
            ListOf(PairOf(_HEADER, LINE), at_most=_MOST_ITEMS, is_distinct=False),
            "headers in the order of sending; `{date}`, `{length}` and `{connection}` are filled in",
            otherwise="nginx's",
        ),
        "body": Key(TEXT, "content", otherwise="nginx's page for the status"),
    }
)
HTTP = _speech(
    (Protocol.HTTP, Protocol.HTTPS),
    build.http,
    {
        **PAGE.keys,
        "pages": Key(
            MapOf(PAGE, at_most=_MOST_ITEMS, names=_PATH, label="PATH"),
            "pages other than `/`, which inherit its keys",
            default="{}",
        ),
        "not_found": Key(PAGE, "page for an unknown path", otherwise="nginx's"),
        "bad_request": Key(PAGE, "page for a request that is not HTTP", otherwise="nginx's"),
        "bad_method": Key(PAGE, "page for a method that is not allowed", otherwise="nginx's"),
        "methods": _lines("methods that are allowed", ("GET", "HEAD")),
        **_TLS,
    },
)
POP3 = _speech(
    (Protocol.POP3, Protocol.POP3S),
    Pop3,
    {
        "banner": Key(LINE, "greeting", default="+OK Dovecot (Debian) ready."),
        "capabilities": _lines(
            "answer to CAPA",
            ("CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER", "SASL PLAIN"),
        ),
        "replies": _replies(catalogue.POP3, {}, TEXT),
        **_TLS,
    },
)
IMAP = _speech(
    (Protocol.IMAP, Protocol.IMAPS),
    Imap,
    {
        "banner": Key(LINE, "greeting", default="* OK [CAPABILITY {capabilities}] Dovecot (Debian) ready."),
        "capabilities": _lines(
            "answer to CAPABILITY, `{capabilities}` in the greeting",
            ("IMAP4rev1", "SASL-IR", "LOGIN-REFERRALS", "ID", "ENABLE", "IDLE", "LITERAL+", "AUTH=PLAIN"),
        ),
        "replies": _replies(catalogue.IMAP, {}, TEXT),
        **_TLS,
    },
)
FTP = _speech(
    (Protocol.FTP,),
    Ftp,
    {
        "banner": Key(TEXT, "greeting", default="220 (vsFTPd 3.0.3)"),
        "features": _lines(
            "answer to FEAT, `{features}` in replies",
            ("EPRT", "EPSV", "MDTM", "PASV", "REST STREAM", "SIZE", "TVFS"),
        ),
        "replies": _replies(catalogue.FTP, {}, TEXT),
        **_TLS,
    },
)
BANNER = _speech(
    (Protocol.BANNER,),
    Banner,
    {
        "banner": Key(TEXT, "text that is sent at once", default=""),
        "reply": Key(TEXT, "answer to each line", default=""),
        "close": Key(
            kinds.FLAG, "close the connection after the banner", default="false", field="is_closed_at_once"
        ),
    },
)
_SHELL = {
    "hostname": Key(LINE, "the host's name at the prompt", True),
    "users": Key(
        MapOf(
            ListOf(LINE, at_most=_MOST_ITEMS, is_distinct=False),
            at_most=_MOST_ITEMS,
            names=LINE,
            label="USER",
        ),
        "passwords that log in, by user; `*` is any password",
        default="{}",
    ),
    "files": Key(
        MapOf(TEXT, at_most=_MOST_ITEMS, names=kinds.FILE, label="PATH"),
        "text of files in the shell, by path",
        default="{}",
    ),
    "kernel": Key(LINE, "answer of `uname -r`", default=""),
    "machine": Key(LINE, "answer of `uname -m`", default="x86_64"),
    "system": Key(LINE, "PRETTY_NAME of /etc/os-release", default=""),
}
SSH = _speech(
    (Protocol.SSH,),
    build.ssh,
    {
        "identification": Key(_IDENTIFICATION, "the server's first line", True),
        "banner": Key(TEXT, "text before a login", default=""),
        "key_exchange": _lines("key exchange methods", catalogue.SSH_KEY_EXCHANGE),
        "host_keys": _lines("kinds of host keys", catalogue.SSH_HOST_KEYS),
        "ciphers": _lines("ciphers", catalogue.SSH_CIPHERS),
        "macs": _lines("message authentication codes", catalogue.SSH_MACS),
        "compression": _lines("compression", ("none", "zlib@openssh.com")),
        **_SHELL,
    },
)
TELNET = _speech(
    (Protocol.TELNET,), build.telnet, {"banner": Key(TEXT, "text before the login", default=""), **_SHELL}
)
SERVICE = Variants("protocol", (SMTP, HTTP, POP3, IMAP, FTP, BANNER, SSH, TELNET))
ADDRESSES: Type = WordOr(choice(("dark",)), ListOf(_ADDRESS, 1, _MOST_ITEMS))
HOST = Record(
    {
        "addresses": Key(
            ADDRESSES, "the host's addresses; `dark`: all of the tenant's that no other host lists", True
        ),
        "closed": Key(choice(Closed), "how a port without a service responds", default="reset"),
        "ttl": Key(whole_number(1, 255), "hop limit of its packets", default="64"),
        "window": Key(
            whole_number(0, _LARGEST_WINDOW),
            "window in a SYN-ACK, in bytes; 0: that of the kernel",
            default="0",
        ),
        "services": Key(
            MapOf(SERVICE, at_most=MOST_SERVICES, names=kinds.PORT, label="PORT"),
            "the service at each TCP port",
            default="{}",
        ),
    },
    build.host,
    name="name",
)
PERSONA = Record(
    {
        "postern-persona": Key(format_number(1), "format of this file", True),
        "tenant": Key(NAME, "the tenant's name in the policy, and the name of this file", True),
        "hosts": Key(MapOf(HOST, 1, MOST_HOSTS, NAME), "the hosts that decoys imitate", True),
    }
)
PERSONA_FILE = Document("persona", "Postern persona", PERSONA, Limits(size_bytes=1024 * 1024, depth=12))
