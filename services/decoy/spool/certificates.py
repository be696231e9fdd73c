"""Certificates that decoys show: of our own making, with the names and dates that the persona says.

All of it follows from the pool's likeness: every decoy of a pool shows the same one, after each start. Kept
in SPOOL/certificates, since making one takes its time.
"""

import hashlib
import os
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.decoy.shared_identity import Likeness
from services.personas.model import Tls

_DAY_S = 86_400

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class Certificates:
    def __init__(self, spool: Path) -> None:
        self._directory = spool / "certificates"
        self._contexts: dict[tuple[Likeness, str, Tls], ssl.SSLContext] = {}

    def context(self, likeness: Likeness, tenant: str, tls: Tls) -> ssl.SSLContext:
        """Return the tenant's context for these names, always the same. Raise `OSError` or `ValueError`."""
        key = likeness, tenant, tls
        if key not in self._contexts:
            self._contexts[key] = self._load(*key)
        return self._contexts[key]

    def _load(self, likeness: Likeness, tenant: str, tls: Tls) -> ssl.SSLContext:
        words = tenant, repr(tls)
        mark = hashlib.sha256(repr((likeness.mark, *words)).encode()).hexdigest()[:16]
        path = self._directory / f"{tenant}.{mark}.pem"
        if not path.exists() or _is_expired(path):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(make(likeness, words, tls, datetime.now(UTC)))
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


def make(likeness: Likeness, words: tuple[str, ...], tls: Tls, now: datetime) -> bytes:
    """Return key and certificate in PEM; signed by itself, whatever the issuer's name."""
    secret = likeness.rsa(2_048, *words) if tls.key == "rsa" else likeness.ecdsa(*words)
    begin = _begin(likeness, words, tls.days, now)
    is_ec = isinstance(secret, ec.EllipticCurvePrivateKey)
    signed = (
        x509.CertificateBuilder()
        .subject_name(_name(tls.names[0], tls.organization))
        .issuer_name(_name(tls.issuer or tls.names[0], tls.organization))
        .public_key(secret.public_key())
        .serial_number(likeness.serial(begin.isoformat(), *words))
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=tls.days))
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, tls.names))), critical=False)
        .sign(secret, hashes.SHA256(), ecdsa_deterministic=True if is_ec else None)
    )
    key = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key + signed.public_bytes(serialization.Encoding.PEM)


def _begin(likeness: Likeness, words: tuple[str, ...], days: int, now: datetime) -> datetime:
    """Return since when the certificate of these days is valid: renewed in time, and not with all others."""
    first = datetime.fromtimestamp(likeness.since, UTC) - timedelta(
        seconds=int(likeness.fraction("age", *words) * days * _DAY_S)
    )
    return first + max(0, (now - first) // timedelta(days=days)) * timedelta(days=days)


def _name(common: str, organization: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])
