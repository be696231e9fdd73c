"""Personas from a directory: DIR/TENANT.yaml for each tenant; the default for a tenant without a file."""

from collections.abc import Iterable
from pathlib import Path

from common.config.errors import ConfigError, ConfigErrors, Place
from common.config.files import read_text
from services.personas.default import default_persona
from services.personas.grammar import PERSONA_FILE
from services.personas.model import Persona
from services.personas.parse import parse_persona


def load_personas(directory: Path, tenants: Iterable[str]) -> dict[str, Persona]:
    """Return the persona of each tenant by its name. Raise `ConfigErrors` with every error."""
    found: dict[str, Persona] = {}
    errors: list[ConfigError] = []
    for tenant in tenants:
        try:
            found[tenant] = load_persona(directory / f"{tenant}.yaml", tenant)
        except ConfigErrors as error:
            errors.extend(error.errors)
    if errors:
        raise ConfigErrors(errors)
    return found


def load_persona(file: Path, tenant: str) -> Persona:
    """Return the persona in the file, or the default if there is no file. Raise `ConfigErrors`."""
    try:
        text = read_text(file, PERSONA_FILE)
    except FileNotFoundError:
        return default_persona(tenant)
    except OSError as error:
        problem = ConfigError(
            Place(str(file), 1, 1), "persona", f"cannot be read: {error}", "make it a readable file"
        )
        raise ConfigErrors([problem]) from error
    return parse_persona(text, str(file), tenant)
