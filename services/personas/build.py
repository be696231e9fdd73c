"""Builds the frozen model from the fields of a valid persona file, where that needs more than the grammar."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from services.personas.model import Address, Host, Http, Page, Protocol, Service, Shell, Speech, Ssh, Telnet

_SHELL = ("hostname", "users", "files", "kernel", "machine", "system")
_ERRORS = {
    "not_found": HTTPStatus.NOT_FOUND,
    "bad_request": HTTPStatus.BAD_REQUEST,
    "bad_method": HTTPStatus.METHOD_NOT_ALLOWED,
}


def host(addresses: str | tuple[Address, ...], **values: Any) -> Host:
    return Host(addresses=() if isinstance(addresses, str) else addresses, **values)


def service(speech: Callable[..., Speech], port: int, protocol: Protocol, ttl: int, **values: Any) -> Service:
    return Service(port, protocol, speech(**values), ttl)


def ssh(**values: Any) -> Ssh:
    return Ssh(shell=_shell(values), **values)


def telnet(**values: Any) -> Telnet:
    return Telnet(shell=_shell(values), **values)


def _shell(values: dict[str, Any]) -> Shell:
    """Remove the keys of the shell from those of its service."""
    return Shell(**{key: values.pop(key) for key in _SHELL})


def http(pages: Mapping[str, dict[str, Any]], methods: tuple[str, ...], **values: Any) -> Http:
    tls = values.pop("tls", None)
    given = {key: values.pop(key, {}) for key in _ERRORS}
    root = _page(values, _nginx_page(HTTPStatus.OK, ()))
    errors = {key: _page(given[key], _nginx_page(status, root.headers)) for key, status in _ERRORS.items()}
    return Http(
        pages={"/": root, **{path: _page(page, root) for path, page in pages.items()}},
        methods=methods,
        tls=tls,
        **errors,
    )


def _page(values: Mapping[str, Any], usual: Page) -> Page:
    status = values.get("status", usual.status)
    return Page(
        status=status,
        reason=values.get("reason", _reason(status)),
        headers=values.get("headers", usual.headers),
        body=values.get("body", usual.body),
    )


def _reason(status: int) -> str:
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return "Not Allowed"  # nginx's own words
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _nginx_page(status: HTTPStatus, server: tuple[tuple[str, str], ...]) -> Page:
    reason = f"{status.value} {_reason(status)}"
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
    return Page(status.value, _reason(status), headers, body)
