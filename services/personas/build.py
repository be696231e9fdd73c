"""From the fields of a good persona file to the frozen model."""

from collections.abc import Callable
from http import HTTPStatus

from common.config.reading import Fields
from services.personas.model import (
    Banner,
    Ftp,
    Host,
    Http,
    Imap,
    Page,
    Persona,
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

_DEFAULT_SIZE = 10_240_000  # Postfix's message_size_limit
_SHELL = ("hostname", "users", "files", "kernel", "machine", "system")
_SSH = ("identification", "banner", "key_exchange", "host_keys", "ciphers", "macs", "compression")


def build_persona(fields: Fields) -> Persona:
    """Return the persona of a file without mistakes."""
    return Persona(fields["tenant"], tuple(_host(*each) for each in fields["hosts"].items()))


def _host(name: str, fields: Fields) -> Host:
    addresses = fields["addresses"]
    return Host(
        name=name,
        addresses=() if isinstance(addresses, str) else addresses,
        closed=fields["closed"],
        ttl=fields["ttl"],
        window=fields["window"],
        services={port: _service(port, each) for port, each in fields["services"].items()},
    )


def _service(port: int, fields: Fields) -> Service:
    protocol: Protocol = fields["protocol"]
    return Service(port, protocol, _SPEECHES[protocol](fields), fields["ttl"])


def _tls(fields: Fields) -> Tls | None:
    return Tls(**fields["tls"].values) if fields.has("tls") else None


def _smtp(fields: Fields) -> Smtp:
    return Smtp(
        name=fields["name"],
        banner=fields["banner"],
        ehlo=fields["ehlo"],
        hang_up=fields["hang_up"],
        size_limit=_announced_size(fields["ehlo"]),
        domains=tuple(domain.lower() for domain in fields["domains"]),
        recipients=tuple(address.lower() for address in fields["recipients"]),
        replies=fields["replies"].values,
        tls=_tls(fields),
    )


def _announced_size(ehlo: tuple[str, ...]) -> int:
    for word, _, number in (line.partition(" ") for line in ehlo):
        if word.upper() == "SIZE" and number.isascii() and number.isdigit() and len(number) < 16:
            return int(number) or _DEFAULT_SIZE
    return _DEFAULT_SIZE


def _http(fields: Fields) -> Http:
    root = _page(fields, _nginx_page(200, ()))
    return Http(
        pages={"/": root, **{path: _page(each, root) for path, each in fields["pages"].items()}},
        not_found=_error_page(fields, "not_found", HTTPStatus.NOT_FOUND, root),
        bad_request=_error_page(fields, "bad_request", HTTPStatus.BAD_REQUEST, root),
        bad_method=_error_page(fields, "bad_method", HTTPStatus.METHOD_NOT_ALLOWED, root),
        methods=fields["methods"],
        tls=_tls(fields),
    )


def _error_page(fields: Fields, key: str, status: HTTPStatus, root: Page) -> Page:
    usual = _nginx_page(status, root.headers)
    return _page(fields[key], usual) if fields.has(key) else usual


def _page(fields: Fields, usual: Page) -> Page:
    status = fields.get("status", usual.status)
    return Page(
        status=status,
        reason=fields.get("reason", _reason(status)),
        headers=fields.get("headers", usual.headers),
        body=fields.get("body", usual.body),
    )


def _reason(status: int) -> str:
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return "Not Allowed"  # nginx's own words
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _nginx_page(status: int, server: tuple[tuple[str, str], ...]) -> Page:
    reason = f"{int(status)} {_reason(status)}"
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
    return Page(int(status), _reason(status), headers, body)


def _pop3(fields: Fields) -> Pop3:
    return Pop3(fields["banner"], fields["capabilities"], fields["replies"].values, _tls(fields))


def _imap(fields: Fields) -> Imap:
    return Imap(fields["banner"], fields["capabilities"], fields["replies"].values, _tls(fields))


def _ftp(fields: Fields) -> Ftp:
    return Ftp(fields["banner"], fields["features"], fields["replies"].values, _tls(fields))


def _banner(fields: Fields) -> Banner:
    return Banner(fields["banner"], fields["reply"], fields["close"])


def _shell(fields: Fields) -> Shell:
    return Shell(**{key: fields[key] for key in _SHELL})


def _ssh(fields: Fields) -> Ssh:
    return Ssh(**{key: fields[key] for key in _SSH}, shell=_shell(fields))


def _telnet(fields: Fields) -> Telnet:
    return Telnet(fields["banner"], _shell(fields))


_SPEECHES: dict[Protocol, Callable[[Fields], Speech]] = {
    Protocol.SMTP: _smtp,
    Protocol.SMTPS: _smtp,
    Protocol.HTTP: _http,
    Protocol.HTTPS: _http,
    Protocol.POP3: _pop3,
    Protocol.POP3S: _pop3,
    Protocol.IMAP: _imap,
    Protocol.IMAPS: _imap,
    Protocol.FTP: _ftp,
    Protocol.BANNER: _banner,
    Protocol.SSH: _ssh,
    Protocol.TELNET: _telnet,
}
