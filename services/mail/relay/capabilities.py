"""What the client is offered: what the gateway implements and the tenant's server offers now. Pure."""

from services.mail.settings import Tenant

# Never: CHUNKING, BINARYMIME, BURL, AUTH (its channel bindings cannot survive), XCLIENT, XFORWARD.
_IMPLEMENTED = frozenset({"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"})


def offered(server_lines: tuple[str, ...], tenant: Tenant, is_encrypted: bool) -> tuple[str, ...]:
    """Return the EHLO lines for the client, in the server's order."""
    lines = []
    for text in server_lines:
        words = text.split()
        if words and words[0].upper() in _IMPLEMENTED:
            lines.append(_size(words, tenant) if words[0].upper() == "SIZE" else words[0].upper())
    if tenant.tls.clients != "off" and not is_encrypted:
        lines.append("STARTTLS")
    return tuple(dict.fromkeys(lines))


def _size(words: list[str], tenant: Tenant) -> str:
    """Return the smaller of the two limits; 0 or nothing means that the server has none (RFC 1870, 4)."""
    theirs = int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else 0
    return f"SIZE {min(theirs, tenant.message_limit_bytes) if theirs else tenant.message_limit_bytes}"


def extensions(lines: tuple[str, ...]) -> frozenset[str]:
    return frozenset(line.split()[0] for line in lines)


def size_limit(lines: tuple[str, ...], tenant: Tenant) -> int:
    for line in lines:
        if line.startswith("SIZE "):
            return int(line.split()[1])
    return tenant.message_limit_bytes


def encode_ehlo(first_line: str, lines: tuple[str, ...]) -> bytes:
    texts = [first_line, *lines]
    wire = [f"250-{text}" for text in texts[:-1]] + [f"250 {texts[-1]}"]
    return "".join(f"{line}\r\n" for line in wire).encode("utf-8", "replace")
