"""Settings of the mail gateway, and the rules for a tenant's mail, which are also in the policy's model.

To add a rule, add it to `MailRules` and its key to the grammar: the model has it, and it reaches the gateway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated

from common.wire.settings import HostSettings
from common.wire.values import Address, Network, Port, Range


class GatewayRole(StrEnum):
    PROXY = "proxy"
    SCANNER = "scanner"


class ScanAction(StrEnum):
    SCAN = "scan"
    SKIP = "skip"


class Disposition(StrEnum):
    """What happens to a message whose verdict is not `clean`."""

    REJECT = "reject"  # 550, the sender gets a bounce
    TEMPFAIL = "tempfail"  # 451, the sender keeps it and tries again
    PASS_TAGGED = "pass-tagged"  # delivered, with a trace header that says why


class ClientTls(StrEnum):
    OFF = "off"
    OFFER = "offer"
    REQUIRE = "require"


class ServerTls(StrEnum):
    NONE = "none"
    MAY = "may"
    REQUIRE = "require"
    VERIFY = "verify"


class BareNewlines(StrEnum):
    REJECT = "reject"
    NORMALIZE = "normalize"


class NulBytes(StrEnum):
    REJECT = "reject"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class ScanRule:
    """The first rule whose conditions all hold applies. Empty means any."""

    action: ScanAction = ScanAction.SCAN
    client: tuple[Network, ...] = ()
    sender: tuple[str, ...] = ()  # patterns with `*`, lower case: `*@news.example`
    recipient: tuple[str, ...] = ()
    larger_than_bytes: int = 0  # 0: any size
    tls: bool | None = None  # None: does not matter


@dataclass(frozen=True, slots=True)
class MailTls:
    clients: ClientTls = ClientTls.OFFER
    server: ServerTls = ServerTls.MAY
    certificate: str = ""  # file; empty: self-signed, made on first start
    key: str = ""


@dataclass(frozen=True, slots=True)
class OnVerdict:
    """What happens to a message, by verdict. `clean` is always delivered."""

    infected: Disposition = Disposition.REJECT  # the policy's parser refuses `pass-tagged`
    limits: Disposition = Disposition.REJECT  # a scanner limit was hit (archive bomb)
    encrypted: Disposition = Disposition.PASS_TAGGED  # the content cannot be scanned
    unavailable: Disposition = Disposition.TEMPFAIL  # no scanner answered; never `reject`


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRules:
    """A tenant's rules for its mail that gateways apply."""

    scan: tuple[ScanRule, ...] = ()  # if no rule matches: scan
    on_verdict: OnVerdict = OnVerdict()
    tls: MailTls = MailTls()
    message_limit_bytes: int = 26_214_400
    bare_newlines: BareNewlines = BareNewlines.REJECT
    nul_bytes: NulBytes = NulBytes.REJECT


@dataclass(frozen=True, slots=True)
class ScannerAddress:
    """Where a clamd listens: host and TCP port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    unix: str = ""

    def __post_init__(self) -> None:
        """Raise `ValueError`."""
        if not self.unix and not (self.host and 1 <= self.port <= 65_535):
            raise ValueError("host and port, or unix, are expected")

    def __str__(self) -> str:
        return self.unix or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTenant(MailRules):
    """A tenant whose mail the gateway relays."""

    name: str
    prefixes: tuple[Network, ...] = ()
    servers: tuple[Address, ...] = ()
    server_port: Port = 25
    scanners: tuple[ScannerAddress, ...] = ()

    @property
    def normalizes_newlines(self) -> bool:
        return self.bare_newlines is BareNewlines.NORMALIZE

    @property
    def passes_nul(self) -> bool:
        return self.nul_bytes is NulBytes.PASS


@dataclass(frozen=True, kw_only=True)
class MailSettings(HostSettings):
    """Settings of the gateways of one pool. `limits`: maximum concurrent sessions, by gateway."""

    role: GatewayRole
    port: Port = 25
    tenants: tuple[MailTenant, ...] = ()
    transparent: bool = True
    trusted_sources_refused: frozenset[Address] = frozenset()
    limits: Mapping[str, Annotated[int, Range(1, 1_000_000)]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `ValueError`: a server belongs to one tenant."""
        owner_by_server: dict[Address, str] = {}
        for tenant in self.tenants:
            for server in tenant.servers:
                other = owner_by_server.setdefault(server, tenant.name)
                if other != tenant.name:
                    raise ValueError(f"tenants: {other} and {tenant.name} both have {server}; keep one")

    @cached_property
    def tenant_by_server(self) -> dict[Address, MailTenant]:
        return {server: tenant for tenant in self.tenants for server in tenant.servers}
