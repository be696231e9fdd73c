"""The model of a persona: hosts with addresses, and the service at each of their ports. Frozen; no I/O.

Texts are as sent on the wire, without the CRLF at the end. Words in braces, such as `{name}`
or `{address}`, are filled in by the dialogue; `docs/reference/personas.md` lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from common.wire.values import Address as Address

_DEFAULT_SIZE = 10_240_000  # Postfix's message_size_limit, in bytes


class Protocol(StrEnum):
    """The protocol at a port. Protocols with an s at the end begin with TLS."""

    SMTP = "smtp"
    SMTPS = "smtps"
    HTTP = "http"
    HTTPS = "https"
    POP3 = "pop3"
    POP3S = "pop3s"
    IMAP = "imap"
    IMAPS = "imaps"
    FTP = "ftp"
    BANNER = "banner"
    SSH = "ssh"
    TELNET = "telnet"


BEGIN_WITH_TLS = frozenset({Protocol.SMTPS, Protocol.HTTPS, Protocol.POP3S, Protocol.IMAPS})
BY_COWRIE = frozenset({Protocol.SSH, Protocol.TELNET})


class Closed(StrEnum):
    """What a port without a service does."""

    RESET = "reset"
    SILENT = "silent"


TLS_VERSIONS = ("1.0", "1.1", "1.2", "1.3")


@dataclass(frozen=True, slots=True)
class Tls:
    """The decoy generates a certificate with these names, and the real one's `issuer` and `organization`."""

    names: tuple[str, ...]
    issuer: str = ""
    organization: str = ""
    days: int = 365
    oldest: str = "1.2"  # of TLS_VERSIONS
    alpn: tuple[str, ...] = ()
    key: str = "ec"  # P-256, or rsa with 2048 bits


@dataclass(frozen=True, slots=True)
class Smtp:
    name: str
    banner: str
    ehlo: tuple[str, ...]
    hang_up: tuple[str, ...]  # refusals after which the server closes the connection
    domains: tuple[str, ...]  # it appears to relay mail for others
    recipients: tuple[str, ...]  # valid addresses in its own domains; none given: all addresses
    replies: Mapping[str, str]
    tls: Tls | None = None

    @property
    def size_limit(self) -> int:
        """Maximum message size in bytes, as SIZE announces it after EHLO (RFC 1870)."""
        for word, _, number in (line.partition(" ") for line in self.ehlo):
            if word.upper() == "SIZE" and number.isascii() and number.isdigit() and len(number) < 16:
                return int(number) or _DEFAULT_SIZE
        return _DEFAULT_SIZE


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class Http:
    pages: Mapping[str, Page]  # by path
    not_found: Page
    bad_request: Page
    bad_method: Page
    methods: tuple[str, ...]
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Pop3:
    banner: str
    capabilities: tuple[str, ...]
    replies: Mapping[str, str]
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Imap:
    banner: str
    capabilities: tuple[str, ...]
    replies: Mapping[str, str]
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Ftp:
    banner: str
    features: tuple[str, ...]
    replies: Mapping[str, str]
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Banner:
    banner: str
    reply: str  # to each line; empty: none
    is_closed_at_once: bool


@dataclass(frozen=True, slots=True)
class Shell:
    """What Cowrie shows to an attacker who has logged in."""

    hostname: str
    users: Mapping[str, tuple[str, ...]]  # passwords by user; `*` is any password
    files: Mapping[str, str]  # text by path
    kernel: str = ""  # as `uname -r` says it
    machine: str = "x86_64"
    system: str = ""  # PRETTY_NAME of /etc/os-release


@dataclass(frozen=True, slots=True)
class Ssh:
    identification: str
    banner: str  # before a login; usually empty
    key_exchange: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]
    compression: tuple[str, ...]
    shell: Shell


@dataclass(frozen=True, slots=True)
class Telnet:
    banner: str
    shell: Shell


Speech = Smtp | Http | Pop3 | Imap | Ftp | Banner | Ssh | Telnet


@dataclass(frozen=True, slots=True)
class Service:
    port: int
    protocol: Protocol
    speech: Speech
    ttl: int = 0  # 0: that of the host

    @property
    def tls(self) -> Tls | None:
        return getattr(self.speech, "tls", None)


@dataclass(frozen=True, slots=True)
class Host:
    """`addresses` is empty for the dark host: it has every address that no other host lists."""

    name: str
    addresses: tuple[Address, ...]
    closed: Closed
    ttl: int
    window: int  # window in a SYN-ACK, in bytes; 0: that of the kernel
    services: Mapping[int, Service]  # by port

    def ttl_at(self, port: int) -> int:
        service = self.services.get(port)
        return service.ttl if service and service.ttl else self.ttl

    @property
    def is_dark(self) -> bool:
        return not self.addresses


@dataclass(frozen=True)
class Persona:
    tenant: str
    hosts: tuple[Host, ...]

    @cached_property
    def host_by_address(self) -> dict[Address, Host]:
        return {address: host for host in self.hosts for address in host.addresses}

    @cached_property
    def dark(self) -> Host | None:
        return next((host for host in self.hosts if host.is_dark), None)

    def host_at(self, address: Address) -> Host | None:
        return self.host_by_address.get(address, self.dark)
