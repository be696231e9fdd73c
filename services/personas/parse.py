"""Parses a persona file into a frozen persona, or reports every error at once."""

from common.config.building import build
from common.config.reading import Fields, read_document
from common.config.report import ErrorReport
from services.personas.grammar import PERSONA_FILE
from services.personas.model import BEGIN_WITH_TLS, Address, Persona


def parse_persona(text: str, file: str, tenant: str = "") -> Persona:
    """Raise `ConfigErrors` with every error. If a tenant is given, the file must be for it."""
    top, report = read_document(text, file, PERSONA_FILE)
    if tenant and top.get("tenant", tenant) != tenant:
        message = f"is the persona of {top['tenant']}, in the file of {tenant}"
        report.add("tenant", message, f"write `tenant: {tenant}`, or rename the file")
    hosts: dict[str, Fields] = top.get("hosts", {})
    for name, host in hosts.items():
        _check_tls(f"hosts.{name}.services", host, report)
    _check_distinct(hosts, report)
    report.raise_any()
    return Persona(top["tenant"], tuple(build(top["hosts"]).values()))


def _check_tls(path: str, host: Fields, report: ErrorReport) -> None:
    for port, service in host.get("services", {}).items():
        protocol = service.get("protocol")
        inside = f"{path}.{port}.tls"
        if protocol in BEGIN_WITH_TLS and not service.has("tls") and inside not in report.places:
            report.add(
                inside, f"is missing, and {protocol} begins with TLS", "add `tls: {names: [host.example]}`"
            )


def _check_distinct(hosts: dict[str, Fields], report: ErrorReport) -> None:
    first_by_address: dict[Address | str, str] = {}
    for name, host in hosts.items():
        addresses = host.get("addresses", ())
        for address in ("dark",) if addresses == "dark" else addresses:
            first = first_by_address.setdefault(address, name)
            if first != name:
                line = report.line(f"hosts.{first}.addresses")
                path = f"hosts.{name}.addresses"
                place = path if address == "dark" else f"{path}.{address}"
                report.add(place, f"{address} is already used by {line}", "keep one of them")
