"""What the demo sends, and what must become of it. Data only."""

from dataclasses import dataclass

from lab.messages import Content

ACME4, ACME6 = "203.0.113.10", "2001:db8:a::10"
GLOBEX4, GLOBEX6 = "203.0.113.74", "2001:db8:b::10"


@dataclass(frozen=True, slots=True)
class Expected:
    code: int  # first word of what the sender must be told
    words: str = ""  # something that the reply must say
    is_scanned: bool = True

    @property
    def is_delivered(self) -> bool:
        return self.code == 250


@dataclass(frozen=True, slots=True)
class Case:
    title: str
    host: str
    client: str  # the address that the tenant's server must see
    recipient: str
    server: str
    content: Content
    expected: Expected
    tls: bool = False

    @property
    def tenant(self) -> str:
        return self.recipient.partition("@")[2].partition(".")[0]

    @property
    def mail_host(self) -> str:
        return f"{self.tenant}-mx"

    @property
    def gateway_kind(self) -> str:
        """Return how the names of the gateways of this tenant's mode begin."""
        return "proxy" if self.tenant == "acme" else "scanner"


_SENDER4, _SENDER6 = "198.51.100.10", "2001:db8:bb::10"
_DELIVERED = Expected(250, "queued as")
_MALWARE = Expected(550, "5.7.1")
_UNKNOWN = Expected(550, "5.1.1", is_scanned=False)

CASES = (
    Case("clean, IPv4", "sender", _SENDER4, "alice@acme.example", ACME4, Content.CLEAN, _DELIVERED),
    Case(
        "clean, with an attachment, IPv6, TLS",
        *("sender", _SENDER6, "bob@acme.example", ACME6),
        *(Content.ATTACHMENT, _DELIVERED, True),
    ),
    Case("EICAR test file, IPv4", "sender", _SENDER4, "alice@acme.example", ACME4, Content.EICAR, _MALWARE),
    Case(
        "our own test sample, IPv6", "sender", _SENDER6, "bob@acme.example", ACME6, Content.SAMPLE, _MALWARE
    ),
    Case(
        "unknown recipient, IPv4", "sender", _SENDER4, "nobody@acme.example", ACME4, Content.CLEAN, _UNKNOWN
    ),
    Case(
        "a partner whose mail is not scanned",
        *("partner", "198.51.100.200", "alice@acme.example", ACME4),
        *(Content.CLEAN, Expected(250, "queued as", is_scanned=False)),
    ),
    Case("clean, IPv4", "sender", _SENDER4, "alice@globex.example", GLOBEX4, Content.CLEAN, _DELIVERED),
    Case(
        "clean, with an attachment, IPv6",
        *("sender", _SENDER6, "bob@globex.example", GLOBEX6),
        *(Content.ATTACHMENT, _DELIVERED),
    ),
    Case(
        "EICAR test file, IPv6", "sender", _SENDER6, "alice@globex.example", GLOBEX6, Content.EICAR, _MALWARE
    ),
    Case(
        "our own test sample, IPv4",
        "sender",
        _SENDER4,
        "bob@globex.example",
        GLOBEX4,
        Content.SAMPLE,
        _MALWARE,
    ),
    Case(
        "unknown recipient, IPv6",
        "sender",
        _SENDER6,
        "nobody@globex.example",
        GLOBEX6,
        Content.CLEAN,
        _UNKNOWN,
    ),
    Case(
        "from one tenant to another: scanned like any other",
        *("acme-pc", "203.0.113.20", "alice@globex.example", GLOBEX4),
        *(Content.CLEAN, _DELIVERED),
    ),
)
