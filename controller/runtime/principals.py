"""The principal that a command is executed for: a name, and a role that defines what is permitted."""

from dataclasses import dataclass
from enum import StrEnum


class AccessRole(StrEnum):
    OPERATOR = "operator"  # everything
    SENSOR = "sensor"  # evidence, and decisions under its own name as origin
    MEMBER = "member"  # what a pool member on its own host needs; the name is its path (POOL.NAME)
    BOUNCER = "bouncer"  # reads decisions, as from a CrowdSec local API
    CONTROLLER = "controller"  # the program itself: what it counts, ends and reloads; no token has this role


@dataclass(frozen=True, slots=True)
class Principal:
    name: str
    role: AccessRole

    def __str__(self) -> str:
        """As journals show it: with the role, if the name does not already say it."""
        return self.name if self.name == self.role.value else f"{self.name} ({self.role.value})"


BEARER_ROLES = tuple(role for role in AccessRole if role is not AccessRole.CONTROLLER)
OPERATOR = Principal("operator", AccessRole.OPERATOR)
CONTROLLER = Principal("controller", AccessRole.CONTROLLER)


def principal_of_user(uid: int) -> Principal:
    """Return the principal of a user on the unix socket: its owner and mode let only operators in."""
    return Principal(f"uid {uid}", AccessRole.OPERATOR)
