"""Certificates that decoys show: of our own making, with the names and dates that the persona says.

Kept in SPOOL/certificates: a certificate that changes with each start would be a tell.
"""

import hashlib
import os
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from services.decoy.persona.model import Tls

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class Certificates:
    def __init__(self, spool: Path) -> None:
        self._directory = spool / "certificates"
        self._contexts: dict[tuple[str, Tls], ssl.SSLContext] = {}

    def context(self, tenant: str, tls: Tls) -> ssl.SSLContext:
        """Return the tenant's context for these names, always the same. Raise `OSError` or `ValueError`."""
        if (tenant, tls) not in self._contexts:
            self._contexts[tenant, tls] = self._load(tenant, tls)
        return self._contexts[tenant, tls]

    def _load(self, tenant: str, tls: Tls) -> ssl.SSLContext:
        mark = hashlib.sha256(repr((tenant, tls)).encode()).hexdigest()[:16]
        path = self._directory / f"{tenant}.{mark}.pem"
        if not path.exists() or _is_expired(path):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_make(tls))
            draft.replace(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _set_oldest(context, _VERSIONS[tls.oldest])
        if tls.alpn:
            context.set_alpn_protocols(list(tls.alpn))
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.load_cert_chain(path)
        return context


def _set_oldest(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Servers that are old, or set so, are stood in for as they are."""
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version


def _is_expired(path: Path) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.not_valid_after_utc <= datetime.now(UTC)


def _make_key(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return ec.generate_private_key(ec.SECP256R1())


def _make(tls: Tls) -> bytes:
    """Return key and certificate; signed by itself, whatever the issuer's name."""
    secret = _make_key(tls.key)
    now = datetime.now(UTC).replace(microsecond=0)
    signed = (
        x509.CertificateBuilder()
        .subject_name(_name(tls.names[0], tls.organization))
        .issuer_name(_name(tls.issuer or tls.names[0], tls.organization))
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=tls.days))
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, tls.names))), critical=False)
        .sign(secret, hashes.SHA256())
    )
    key = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key + signed.public_bytes(serialization.Encoding.PEM)


def _name(common: str, organization: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])
