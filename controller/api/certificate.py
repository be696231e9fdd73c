"""The certificate of the API over TCP: the operator's, or a self-signed one that clients must trust."""

import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller.hosts.publish import replace_file

CERTIFICATE, KEY = "certificate.pem", "key.pem"
_LASTS = timedelta(days=3_650)
_CLOCKS_DIFFER = timedelta(days=1)


def find_or_make(directory: Path, host: str) -> tuple[Path, Path]:
    """Return the files of certificate and key; make both if the certificate is missing. Raise `OSError`."""
    certificate, key = directory / CERTIFICATE, directory / KEY
    if not certificate.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _make(certificate, key, host)
    return certificate, key


def _make(certificate: Path, key: Path, host: str) -> None:
    secret, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postern controller")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + _LASTS)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(secret, hashes.SHA256())
    )
    private = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    # The key first: a certificate means that there is one.
    replace_file(key, private.decode("ascii"), is_secret=True)
    replace_file(certificate, public.decode("ascii"), is_secret=False)


def _names(host: str) -> list[x509.GeneralName]:
    """Return the names and addresses of the API: where it listens, and this machine's own."""
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in {socket.gethostname(), "localhost"}]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [*names, x509.DNSName(host)]
    return names if address.is_unspecified else [*names, x509.IPAddress(address)]
