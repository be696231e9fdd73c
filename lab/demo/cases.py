"""What the demo sends, and what must happen to it. Data only."""

from dataclasses import dataclass

from lab.messages import Content


@dataclass(frozen=True, slots=True)
class Expected:
    code: int  # reply code that the sender must receive
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
        """Return the prefix of the names of the gateways for this tenant's mode."""
        return "proxy" if self.tenant == "acme" else "scanner"


_DELIVERED = Expected(250, "queued as")
_UNSCANNED = Expected(250, "queued as", is_scanned=False)
_MALWARE = Expected(550, "5.7.1")
_UNKNOWN = Expected(550, "5.1.1", is_scanned=False)

# (host, its address)
_SENDER4 = ("sender", "198.51.100.10")
_SENDER6 = ("sender", "2001:db8:bb::10")
_PARTNER = ("partner", "198.51.100.200")
_ACME_PC = ("acme-pc", "203.0.113.20")

# (recipient, address of the tenant's mail server)
_ALICE_ACME4 = ("alice@acme.example", "203.0.113.10")
_BOB_ACME6 = ("bob@acme.example", "2001:db8:a::10")
_NOBODY_ACME4 = ("nobody@acme.example", "203.0.113.10")
_ALICE_GLOBEX4 = ("alice@globex.example", "203.0.113.74")
_ALICE_GLOBEX6 = ("alice@globex.example", "2001:db8:b::10")
_BOB_GLOBEX4 = ("bob@globex.example", "203.0.113.74")
_BOB_GLOBEX6 = ("bob@globex.example", "2001:db8:b::10")
_NOBODY_GLOBEX6 = ("nobody@globex.example", "2001:db8:b::10")

CASES = (
    Case("clean, IPv4", *_SENDER4, *_ALICE_ACME4, Content.CLEAN, _DELIVERED),
    Case("with an attachment, IPv6, TLS", *_SENDER6, *_BOB_ACME6, Content.ATTACHMENT, _DELIVERED, tls=True),
    Case("EICAR test file, IPv4", *_SENDER4, *_ALICE_ACME4, Content.EICAR, _MALWARE),
    Case("Postern's own test sample, IPv6", *_SENDER6, *_BOB_ACME6, Content.SAMPLE, _MALWARE),
    Case("unknown recipient, IPv4", *_SENDER4, *_NOBODY_ACME4, Content.CLEAN, _UNKNOWN),
    Case("a partner, not scanned by rule", *_PARTNER, *_ALICE_ACME4, Content.CLEAN, _UNSCANNED),
    Case("clean, IPv4", *_SENDER4, *_ALICE_GLOBEX4, Content.CLEAN, _DELIVERED),
    Case("with an attachment, IPv6", *_SENDER6, *_BOB_GLOBEX6, Content.ATTACHMENT, _DELIVERED),
    Case("EICAR test file, IPv6", *_SENDER6, *_ALICE_GLOBEX6, Content.EICAR, _MALWARE),
    Case("Postern's own test sample, IPv4", *_SENDER4, *_BOB_GLOBEX4, Content.SAMPLE, _MALWARE),
    Case("unknown recipient, IPv6", *_SENDER6, *_NOBODY_GLOBEX6, Content.CLEAN, _UNKNOWN),
    Case("from one tenant to another", *_ACME_PC, *_ALICE_GLOBEX4, Content.CLEAN, _DELIVERED),
)
