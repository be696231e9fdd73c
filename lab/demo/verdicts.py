"""Compares what was expected of a message with what was found. Pure."""

from collections.abc import Iterator

from lab.demo.cases import Case
from lab.mail import Told
from lab.trace_logs import Found


def complaints(case: Case, told: Told, found: Found) -> list[str]:
    """Return what went wrong, one text each."""
    return [*_about_reply(case, told), *_about_server(case, found), *_about_way(case, found)]


def _about_reply(case: Case, told: Told) -> Iterator[str]:
    if told.code != case.expected.code:
        yield f"expected reply {case.expected.code}, got: {told.reply or 'none'}"
    elif case.expected.words not in told.reply:
        yield f"expected {case.expected.words!r} in the reply: {told.reply}"


def _about_server(case: Case, found: Found) -> Iterator[str]:
    if case.expected.is_delivered and not found.is_delivered:
        yield f"{case.mail_host} did not deliver it"
    if not case.expected.is_delivered and found.is_delivered:
        yield f"{case.mail_host} delivered it"
    if found.server_saw != case.client:
        yield f"{case.mail_host} saw client {found.server_saw or 'none'} instead of {case.client}"


def _about_way(case: Case, found: Found) -> Iterator[str]:
    if not found.gateway.startswith(case.gateway_kind):
        yield f"a {case.gateway_kind} should have handled it, but {found.gateway or 'no gateway'} did"
    if bool(found.scans) != case.expected.is_scanned:
        yield "it was not scanned" if case.expected.is_scanned else "it was scanned"
    if case.gateway_kind == "scanner" and any(name != found.gateway for name, _ in found.scans):
        yield "it was scanned by a scanner other than its own gateway's"
