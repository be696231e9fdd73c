"""What the settings of all kinds of hosts have in common."""

from dataclasses import dataclass

from common.wire.codec import Versioned


@dataclass(frozen=True, kw_only=True)
class HostSettings(Versioned):
    """What the hosts of a pool must know about the policy; the controller writes one file for each pool."""

    revision: int = 0
    pool: str
