"""The kinds of files that an operator writes: grammar, check, and the head of the reference page.

Modules of programs on hosts are imported only for their own kinds of files.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.config.grammar import Document
from controller.compiler.compile import compile_policy
from controller.policy import reference
from controller.policy.grammar import POLICY_FILE
from controller.policy.parse import parse_policy

KINDS = ("policy", "persona", "sensors")
_MARKER = re.compile(r"""^[{"']*postern-(persona|sensors)["']? *:""", re.MULTILINE)


@dataclass(frozen=True)
class FileKind:
    """`check` takes a text and its file's name, and returns the content in words.

    It raises `ConfigErrors`, or `CompileError` for a policy. `example` is a valid file of the checkout.
    """

    document: Document
    check: Callable[[str, str], str]
    head: str
    page: Path
    schema: Path
    example: Path


def guess_kind(text: str) -> str:
    """Return the kind that a file's first key names; a file without a known first key is a policy."""
    found = _MARKER.search(text)
    return found[1] if found else "policy"


def load_kind(kind: str) -> FileKind:
    """Return the document of one of `KINDS`."""
    return {"policy": _load_policy, "persona": _load_persona, "sensors": _load_sensors}[kind]()


def _load_policy() -> FileKind:
    return FileKind(
        POLICY_FILE,
        _check_policy,
        reference.HEAD,
        Path("docs/reference/policy.md"),
        Path("policies/postern.schema.json"),
        Path("policies/demo.yaml"),
    )


def _load_persona() -> FileKind:
    from services.personas.grammar import PERSONA_FILE
    from services.personas.parse import parse_persona
    from services.personas.reference import HEAD

    def check(text: str, file: str) -> str:
        persona = parse_persona(text, file)
        services = sum(len(host.services) for host in persona.hosts)
        hosts = _counted((len(persona.hosts), "host", "hosts"), (services, "service", "services"))
        return f"Persona of {persona.tenant}: {hosts}"

    return FileKind(
        PERSONA_FILE,
        check,
        HEAD,
        Path("docs/reference/personas.md"),
        Path("policies/personas/persona.schema.json"),
        Path("policies/personas/debian-12/acme.yaml"),
    )


def _load_sensors() -> FileKind:
    from services.sensors.grammar import SENSORS_FILE
    from services.sensors.reference import HEAD
    from services.sensors.settings import parse_settings

    def check(text: str, file: str) -> str:
        settings = parse_settings(text, file)
        return _counted(
            (len(settings.feeds), "feed", "feeds"),
            (int(settings.crowdsec is not None), "CrowdSec API", "CrowdSec APIs"),
            (len(settings.suricata), "Suricata", "Suricatas"),
        )

    return FileKind(
        SENSORS_FILE,
        check,
        HEAD,
        Path("docs/reference/sensors.md"),
        Path("deploy/sensors/sensors.schema.json"),
        Path("deploy/sensors/sensors.yaml"),
    )


def _check_policy(text: str, file: str) -> str:
    policy = parse_policy(text, file)
    compile_policy(policy)
    members = sum(len(pool.members) for pool in policy.pools)
    return _counted(
        (len(policy.switches), "switch", "switches"),
        (len(policy.uplinks), "uplink", "uplinks"),
        (len(policy.tenants), "tenant", "tenants"),
        (len(policy.pools), "pool", "pools"),
        (members, "pool member", "pool members"),
    )


def _counted(*counts: tuple[int, str, str]) -> str:
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts)
