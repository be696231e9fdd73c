"""Personas from a directory: DIR/TENANT.yaml for each tenant, the default for who has none."""

from collections.abc import Iterable
from pathlib import Path

from services.personas.default import default_persona
from services.personas.errors import PersonaError, PersonaErrors, Place
from services.personas.model import Persona
from services.personas.nodes import MAX_BYTES
from services.personas.parse import parse_persona


def load_personas(directory: Path, tenants: Iterable[str]) -> dict[str, Persona]:
    """Return the persona of each tenant by its name. Raise `PersonaErrors` with all that is wrong."""
    found: dict[str, Persona] = {}
    errors: list[PersonaError] = []
    for tenant in tenants:
        try:
            found[tenant] = load_persona(directory / f"{tenant}.yaml", tenant)
        except PersonaErrors as error:
            errors.extend(error.errors)
    if errors:
        raise PersonaErrors(errors)
    return found


def load_persona(file: Path, tenant: str) -> Persona:
    """Return what the file says, or the default if there is none. Raise `PersonaErrors`."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        return default_persona(tenant)
    except (OSError, UnicodeDecodeError) as error:
        raise _problem(file, f"cannot be read: {error}", "make it a readable UTF-8 file") from error
    persona = parse_persona(text, str(file))
    if persona.tenant != tenant:
        raise _problem(file, f"is the persona of {persona.tenant}", f"write `tenant: {tenant}`, or rename it")
    return persona


def _problem(file: Path, message: str, remedy: str) -> PersonaErrors:
    return PersonaErrors([PersonaError(Place(str(file), 1, 1), "tenant", message, remedy)])
