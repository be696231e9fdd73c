"""The state directory of a Cowrie: we own what it reads, it owns what it writes; keys outlive the process."""

import contextlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.cowrie.spec import KEY_KINDS, Spec, to_configuration, to_identity
from services.decoy.shared_identity import SharedIdentity

_DAY_S = 86_400
_RSA_BITS = 3_072  # as ssh-keygen makes them
_OWN = ("var", "var/lib", "var/lib/cowrie", "var/log", "var/log/cowrie", "var/run")
# Leftovers of a run that are no longer needed: uploads are copied out at once.
_PASSING = ("var/lib/cowrie/downloads", "var/lib/cowrie/tty")


@dataclass(frozen=True, slots=True)
class Account:
    """The user that runs Cowrie."""

    uid: int
    gid: int


class StateDirectory:
    def __init__(self, path: Path, account: Account, likeness: SharedIdentity) -> None:
        self.path = path
        self._account = account
        self._likeness = likeness
        self.downloads = path / "var/lib/cowrie/downloads"

    def prepare(self, spec: Spec, sensor: str) -> None:
        """Create or refresh the directory. The first time takes seconds, for the keys. Raise `OSError`."""
        etc = self.path / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        os.chown(etc, os.geteuid(), self._account.gid)
        etc.chmod(0o750)
        self.path.chmod(0o711)
        for part in _PASSING:
            shutil.rmtree(self.path / part, ignore_errors=True)
        for part in (*_OWN, *_PASSING):
            self._own_directory(self.path / part)
        keys = self._make_keys(spec) if spec.ssh else {}
        configuration = to_configuration(spec, sensor, self._uptime_s(spec), keys)
        self._publish("etc/cowrie.cfg", configuration.encode())
        self._publish("etc/persona.json", json.dumps(to_identity(spec)).encode())

    def size_bytes(self) -> int:
        """Return the size of everything that Cowrie has written."""
        total = 0
        for directory, _, names in os.walk(self.path / "var"):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(directory, name)).st_size
        return total

    def _make_keys(self, spec: Spec) -> dict[str, str]:
        """Write the host's keys, the same on every decoy, to files; return the file names by kind."""
        names = {}
        for kind in KEY_KINDS:
            names[kind] = f"etc/ssh_host_{kind}_key.{self._likeness.mark}"
            if not (self.path / f"{names[kind]}.pub").exists():
                secret = _draw_key(self._likeness, kind, spec.name)
                self._publish(
                    names[kind], secret.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
                )
                public = secret.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
                self._publish(f"{names[kind]}.pub", public)
        return names

    def _uptime_s(self, spec: Spec) -> int:
        """Return the uptime that the host pretends to have; a restart of Cowrie does not reset it."""
        age_s = _DAY_S * (1 + 89 * self._likeness.fraction("uptime", spec.name))
        return max(1, int(time.time() - self._likeness.since + age_s))

    def _own_directory(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        os.chown(path, self._account.uid, self._account.gid, follow_symlinks=False)
        path.chmod(0o700)

    def _publish(self, name: str, data: bytes) -> None:
        """Write a file that only Cowrie can read: it contains passwords or keys."""
        path = self.path / name
        draft = path.with_name(f"{path.name}.draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(descriptor, os.geteuid(), self._account.gid)
            file.write(data)
        draft.replace(path)


def _draw_key(
    likeness: SharedIdentity, kind: str, name: str
) -> RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey:
    match kind:
        case "rsa":
            return likeness.rsa(_RSA_BITS, name)
        case "ecdsa":
            return likeness.ecdsa(name)
        case _:
            return likeness.ed25519(name)
