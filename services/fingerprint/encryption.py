"""TLS as it is visible from outside: versions, ciphers, ALPN, and the fields of the certificate."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from services.fingerprint.client import Manners, NoTls, Place, client_context, handshake
from services.fingerprint.script import ScriptStep

_VERSIONS = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}
REFUSED = "refused"
_ALPN = ("h2", "http/1.1")
_MOST_NAMES, _LONGEST_NAME = 100, 253


@dataclass(frozen=True, slots=True)
class Certificate:
    names: tuple[str, ...]
    subject: str
    issuer: str
    organization: str
    days: int
    key: str
    is_self_signed: bool
    fingerprint: str


async def look_at_tls(place: Place, before: tuple[ScriptStep, ...], manners: Manners) -> dict[str, str]:
    """Return facts by name. A handshake for each version, and one more for ALPN and the certificate."""
    facts = {}
    for name, version in _VERSIONS.items():
        try:
            agreed = await handshake(place, before, client_context(version), manners)
            facts[name] = (agreed.cipher() or ("?", "", 0))[0]
        except NoTls:
            facts[name] = REFUSED
    context = client_context()
    context.set_alpn_protocols(list(_ALPN))
    try:
        agreed = await handshake(place, before, context, manners)
    except NoTls as error:
        return {**facts, "handshake": str(error)}
    facts["ALPN"] = agreed.selected_alpn_protocol() or "none"
    return {**facts, **_facts_of(agreed.getpeercert(binary_form=True) or b"")}


def _facts_of(der: bytes) -> dict[str, str]:
    certificate = read_certificate(der)
    if certificate is None:
        return {"certificate": "cannot be read"}
    return {
        "certificate names": ",".join(certificate.names),
        "certificate subject": certificate.subject,
        "certificate issuer": certificate.issuer,
        "certificate organization": certificate.organization,
        "certificate days": str(certificate.days),
        "certificate key": certificate.key,
        "certificate signed": "by itself" if certificate.is_self_signed else "by its issuer",
        "certificate fingerprint": certificate.fingerprint,
    }


def read_certificate(der: bytes) -> Certificate | None:
    """Return the fields of a certificate, or None if it cannot be read."""
    try:
        found = x509.load_der_x509_certificate(der)
        subject, issuer = _common(found.subject), _common(found.issuer)
        days = round((found.not_valid_after_utc - found.not_valid_before_utc).total_seconds() / 86_400)
        return Certificate(
            names=_names(found) or ((subject,) if subject else ()),
            subject=subject,
            issuer=issuer,
            organization=_organization(found.subject),
            days=days,
            key=_key(found),
            is_self_signed=found.subject == found.issuer,
            fingerprint=found.fingerprint(hashes.SHA256()).hex(),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(_bounded(found.value.get_values_for_type(x509.DNSName)))


def _bounded(names: Iterable[str]) -> list[str]:
    return [name[:_LONGEST_NAME] for name in names][:_MOST_NAMES]


def _common(name: x509.Name) -> str:
    """Return the common name, or the organization if there is no common name."""
    return _first(name, NameOID.COMMON_NAME) or _organization(name)


def _organization(name: x509.Name) -> str:
    return _first(name, NameOID.ORGANIZATION_NAME)


def _first(name: x509.Name, kind: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(kind)
    value = found[0].value if found else ""
    return value[:_LONGEST_NAME] if isinstance(value, str) else ""


def _key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__
