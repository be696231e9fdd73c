"""What decoys must answer: every service of the personas, asked as a client would."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from controller.policy.model import Policy, Tenant
from lab import probes
from lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Door:
    """A service of a persona, at an address that a decoy answers for."""

    address: str
    port: int
    protocol: str

    def check(self, pin: Path) -> str:
        """Ask from the decoy's own host: decoys answer, and record nothing."""
        match self.protocol:
            case "ssh":
                return probes.ssh(pin, self.address, self.port)
            case "http":
                return probes.http(pin, self.address, self.port)
            case _:
                return probes.greeting(pin, self.address, self.port)


# What decoys show for a tenant that has no persona (services/personas/default.py).
DEFAULT = {22: "ssh", 80: "http"}


def doors(policy: Policy, personas: Path) -> tuple[Door, ...]:
    """Return those of all tenants. Raise `LabError`."""
    return tuple(itertools.chain.from_iterable(_of_tenant(tenant, personas) for tenant in policy.tenants))


def _of_tenant(tenant: Tenant, personas: Path) -> Iterator[Door]:
    file = personas / f"{tenant.name}.yaml"
    if not file.exists():
        address = _address(tenant, "dark")
        yield from (Door(address, port, protocol) for port, protocol in DEFAULT.items())
        return
    try:
        hosts = yaml.safe_load(file.read_text(encoding="utf-8"))["hosts"]
        for host in hosts.values():
            address = _address(tenant, host["addresses"])
            for port, service in (host.get("services") or {}).items():
                yield Door(address, int(port), service["protocol"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise LabError(f"{file} is not a valid persona: {error!r}; remedy: docs/decoys.md") from error


def _address(tenant: Tenant, addresses: Any) -> str:
    """Return the first address of a host; for dark space an unused one."""
    return str(tenant.prefixes[0][-2] if addresses == "dark" else addresses[0])
