"""TLS contexts: towards clients, one per tenant; towards tenants' servers, one per level of verification.

Without a certificate from the operator, a self-signed one is generated on first use
and kept. Clients that require a trusted certificate will then not encrypt, or not
send at all, so the journal reports it once.
"""

import fcntl
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.mail.settings import Tenant
from services.smtp.catalogue import OWN_NAME

_VALID_DAYS = 3650


def make_self_signed(directory: Path, tenant: str) -> tuple[Path, Path, bool]:
    """Return (certificate, key, whether they were generated now). Raise `OSError`.

    If gateways that share a directory start together, the first generates both and the others wait. Otherwise
    the key of one could end up with the certificate of another, and no gateway would offer STARTTLS again.
    """
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = directory / f"{tenant}.crt", directory / f"{tenant}.key"
    with _alone_in(directory):
        if certificate.exists() and key.exists():
            return certificate, key, False
        _make(certificate, key)
    return certificate, key, True


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Exclude other processes; the kernel releases the lock if this one dies (flock(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(certificate: Path, key: Path) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, OWN_NAME)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(OWN_NAME)]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, pem, 0o600)
    _write(certificate, signed.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    draft = path.with_suffix(path.suffix + f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.replace(path)


def client_context(directory: Path, tenant: Tenant) -> tuple[ssl.SSLContext, bool]:
    """Return the context towards a tenant's clients, and whether its certificate was generated now.

    `directory`: of self-signed certificates.
    """
    was_made = False
    if tenant.tls.certificate:
        certificate, key = Path(tenant.tls.certificate), Path(tenant.tls.key)
    else:
        certificate, key, was_made = make_self_signed(directory, tenant.name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.load_cert_chain(certificate, key)
    return context, was_made


@lru_cache(maxsize=2)
def server_context(verifies: bool) -> ssl.SSLContext:
    """Return the context towards a tenant's server; only `verify` checks its certificate.

    Without verification no CAs are loaded: OpenSSL would search them for issuers at each handshake.
    """
    context = ssl.create_default_context() if verifies else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    if not verifies:
        context.verify_mode = ssl.CERT_NONE
    return context
