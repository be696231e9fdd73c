"""What a persona says about one service, by protocol, with defaults that a plain Debian has."""

import re
from collections.abc import Callable
from http import HTTPStatus

from services.personas import catalogue
from services.personas.errors import quoted
from services.personas.model import (
    BEGIN_WITH_TLS,
    TLS_VERSIONS,
    Banner,
    Ftp,
    Http,
    Imap,
    Page,
    Pop3,
    Protocol,
    Service,
    Shell,
    Smtp,
    Speech,
    Ssh,
    Telnet,
    Tls,
)
from services.personas.reading import Fields

_DNS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_IDENTIFICATION = re.compile(r"SSH-(2\.0|1\.99)-[\x21-\x7e][\x20-\x7e]{0,240}")
_CODE = re.compile(r"([1-5][0-9][0-9])([ -]|$)")
_DEFAULT_SIZE = 10_240_000


def read_service(port: int, fields: Fields) -> Service:
    protocol = Protocol(fields.one_of("protocol", tuple(Protocol)))
    speech = _READERS[protocol](fields)
    if protocol in BEGIN_WITH_TLS and getattr(speech, "tls", None) is None:
        fields.note(
            "tls", f"is missing, and {protocol} begins with TLS", "add `tls: {names: [host.example]}`"
        )
    ttl = fields.number("ttl", 0, 255, 0)
    fields.finish()
    return Service(port, protocol, speech, ttl)


def _read_tls(fields: Fields) -> Tls | None:
    inner = fields.child("tls")
    if inner is None:
        return None
    names = inner.lines("names")
    for name in names:
        if not _DNS_NAME.fullmatch(name):
            inner.note("names", f"{quoted(name)} is no host name", "write names as certificates carry them")
    issuer, organization = inner.line("issuer", ""), inner.line("organization", "")
    for key, text in (("issuer", issuer), ("organization", organization)):
        if len(text) > 64:  # RFC 5280, ub-common-name and ub-organization-name
            inner.note(key, "is longer than 64 characters", "shorten it")
    days = inner.number("days", 1, 10_000, 365)
    oldest = _one_of(inner, "oldest", TLS_VERSIONS, "1.2")
    key = _one_of(inner, "key", ("ec", "rsa"), "ec")
    alpn = inner.lines("alpn", ())
    for word in alpn:
        if not re.fullmatch(r"[!-~]{1,255}", word) or word == "h2":
            inner.note("alpn", f"{quoted(word)} cannot be offered", "a decoy speaks http/1.1, and no h2")
    if not names and inner.has("names"):
        inner.note("names", "holds no name", "write at least one")
    inner.finish()
    return Tls(names, issuer, organization, days, oldest, alpn, key)


def _one_of(fields: Fields, key: str, known: tuple[str, ...], usual: str) -> str:
    word = fields.line(key, usual)
    if word not in known:
        fields.note(key, f"{quoted(word)} is not known", f"use one of {', '.join(known)}")
    return word


def _read_smtp(fields: Fields) -> Smtp:
    name = fields.line("name")
    ehlo = fields.lines("ehlo", ("PIPELINING", "8BITMIME"))
    replies = fields.known_texts("replies", catalogue.SMTP)
    for key, reply in replies.items():
        if not all(_CODE.match(line) for line in reply.splitlines()) or not (reply or key == "need_ehlo"):
            fields.note(
                "replies", f"{key}: {quoted(reply)} is no SMTP reply", "begin lines with three digits"
            )
    if not replies["end"].startswith("4"):
        fields.note("replies", "end: must begin with 4", "a decoy never takes or bounces a message: use 451")
    return Smtp(
        name=name,
        banner=fields.text("banner", "220 {name} ESMTP Postfix"),
        ehlo=ehlo,
        hang_up=_read_hang_up(fields),
        size_limit=_announced_size(ehlo),
        domains=tuple(domain.lower() for domain in fields.lines("domains", ())),
        recipients=tuple(address.lower() for address in fields.lines("recipients", ())),
        replies=replies,
        tls=_read_tls(fields),
    )


def _read_hang_up(fields: Fields) -> tuple[str, ...]:
    names = fields.lines("hang_up", catalogue.SMTP_HANGS_UP)
    for name in names:
        if name not in catalogue.SMTP:
            fields.note("hang_up", f"{quoted(name)} is no reply", "use names of `replies`")
    return names


def _announced_size(ehlo: tuple[str, ...]) -> int:
    for word, _, number in (line.partition(" ") for line in ehlo):
        if word.upper() == "SIZE" and number.isascii() and number.isdigit() and len(number) < 16:
            return int(number) or _DEFAULT_SIZE
    return _DEFAULT_SIZE


def _read_page(fields: Fields | None, default: Page) -> Page:
    if fields is None:
        return default
    page = _own_page(fields, default)
    fields.finish()
    return page


def _own_page(fields: Fields, default: Page) -> Page:
    status = fields.number("status", 100, 599, default.status)
    headers = fields.pairs("headers", default.headers)
    for name, _ in headers:
        if not _TOKEN.fullmatch(name):
            fields.note("headers", f"{quoted(name)} is no name of a header", "use letters, digits and -")
    reason = fields.line("reason", _reason(status))
    return Page(status, reason, headers, fields.text("body", default.body))


def _reason(status: int) -> str:
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return "Not Allowed"  # nginx's own words
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _nginx_page(status: int, server: tuple[tuple[str, str], ...]) -> Page:
    reason = f"{status} {_reason(status)}"
    name = next((value for key, value in server if key.lower() == "server"), "nginx")
    body = (
        f"<html>\r\n<head><title>{reason}</title></head>\r\n<body>\r\n<center><h1>{reason}</h1></center>\r\n"
        f"<hr><center>{name}</center>\r\n</body>\r\n</html>\r\n"
    )
    headers = (
        ("Server", name),
        ("Date", "{date}"),
        ("Content-Type", "text/html"),
        ("Content-Length", "{length}"),
        ("Connection", "{connection}" if status != HTTPStatus.BAD_REQUEST else "close"),
    )
    return Page(status, _reason(status), headers, body)


def _read_http(fields: Fields) -> Http:
    default = _nginx_page(200, ())
    root = _own_page(fields, default)
    pages = {"/": root, **fields.children("pages", lambda _, inner: _read_page(inner, root))}
    for path in pages:
        if not path.startswith("/"):
            fields.note("pages", f"{quoted(path)} is no path", "begin it with /")
    return Http(
        pages=pages,
        not_found=_read_page(fields.child("not_found"), _nginx_page(404, root.headers)),
        bad_request=_read_page(fields.child("bad_request"), _nginx_page(400, root.headers)),
        bad_method=_read_page(fields.child("bad_method"), _nginx_page(405, root.headers)),
        methods=fields.lines("methods", ("GET", "HEAD")),
        tls=_read_tls(fields),
    )


def _read_pop3(fields: Fields) -> Pop3:
    capabilities = ("CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER", "SASL PLAIN")
    return Pop3(
        fields.line("banner", "+OK Dovecot (Debian) ready."),
        fields.lines("capabilities", capabilities),
        fields.known_texts("replies", catalogue.POP3),
        _read_tls(fields),
    )


def _read_imap(fields: Fields) -> Imap:
    capabilities = (
        "IMAP4rev1",
        "SASL-IR",
        "LOGIN-REFERRALS",
        "ID",
        "ENABLE",
        "IDLE",
        "LITERAL+",
        "AUTH=PLAIN",
    )
    return Imap(
        fields.line("banner", "* OK [CAPABILITY {capabilities}] Dovecot (Debian) ready."),
        fields.lines("capabilities", capabilities),
        fields.known_texts("replies", catalogue.IMAP),
        _read_tls(fields),
    )


def _read_ftp(fields: Fields) -> Ftp:
    features = ("EPRT", "EPSV", "MDTM", "PASV", "REST STREAM", "SIZE", "TVFS")
    return Ftp(
        fields.text("banner", "220 (vsFTPd 3.0.3)"),
        fields.lines("features", features),
        fields.known_texts("replies", catalogue.FTP),
        _read_tls(fields),
    )


def _read_banner(fields: Fields) -> Banner:
    return Banner(fields.text("banner", ""), fields.text("reply", ""), fields.flag("close", False))


def _read_shell(fields: Fields) -> Shell:
    files = fields.texts_by_name("files")
    for path in files:
        if not path.startswith("/"):
            fields.note("files", f"{quoted(path)} is no path", "begin it with /")
    return Shell(
        hostname=fields.line("hostname"),
        users=fields.lines_by_name("users"),
        files=files,
        kernel=fields.line("kernel", ""),
        machine=fields.line("machine", "x86_64"),
        system=fields.line("system", ""),
    )


def _read_ssh(fields: Fields) -> Ssh:
    identification = fields.line("identification")
    if fields.has("identification") and not _IDENTIFICATION.fullmatch(identification):
        message = f"{quoted(identification)} is no SSH identification"
        fields.note("identification", message, "write it as RFC 4253, 4.2 has it: SSH-2.0-OpenSSH_9.2p1")
    return Ssh(
        identification=identification,
        banner=fields.text("banner", ""),
        key_exchange=fields.lines("key_exchange", _KEY_EXCHANGE),
        host_keys=fields.lines(
            "host_keys", ("rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519")
        ),
        ciphers=fields.lines("ciphers", _CIPHERS),
        macs=fields.lines("macs", _MACS),
        compression=fields.lines("compression", ("none", "zlib@openssh.com")),
        shell=_read_shell(fields),
    )


def _read_telnet(fields: Fields) -> Telnet:
    return Telnet(fields.text("banner", ""), _read_shell(fields))


# OpenSSH 9.2p1 as Debian 12 has it: read from the sshd of 2+deb12u10.
_KEY_EXCHANGE = (
    "sntrup761x25519-sha512",
    "sntrup761x25519-sha512@openssh.com",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
    "kex-strict-s-v00@openssh.com",
)
_HOST_KEYS = ("rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519")
_CIPHERS = (
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
)
_MACS = (
    "umac-64-etm@openssh.com",
    "umac-128-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha1-etm@openssh.com",
    "umac-64@openssh.com",
    "umac-128@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
)
_READERS: dict[Protocol, Callable[[Fields], Speech]] = {
    Protocol.SMTP: _read_smtp,
    Protocol.SMTPS: _read_smtp,
    Protocol.HTTP: _read_http,
    Protocol.HTTPS: _read_http,
    Protocol.POP3: _read_pop3,
    Protocol.POP3S: _read_pop3,
    Protocol.IMAP: _read_imap,
    Protocol.IMAPS: _read_imap,
    Protocol.FTP: _read_ftp,
    Protocol.BANNER: _read_banner,
    Protocol.SSH: _read_ssh,
    Protocol.TELNET: _read_telnet,
}
