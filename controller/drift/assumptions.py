"""Which differences let a switch do something else than its flows say, as a proof assumes. Pure.

A proof reads flows, groups and meters. It takes for granted that the switch does what they say and nothing
else, and that each port leads to what the policy names.
"""

from controller.drift.model import Difference, DriftChange, DriftKind

_BEHAVIOUR = frozenset({DriftKind.MIRROR, DriftKind.BRIDGE, DriftKind.FAIL_MODE, DriftKind.SETTING})


def is_against_proof(difference: Difference) -> bool:
    """Return whether a proof over the flows of a switch says too little while this difference is open.

    Other controllers and managers do not count: what they change on the switch is seen, and proved as it is.
    """
    return difference.kind in _BEHAVIOUR or _is_other_device(difference)


def _is_other_device(difference: Difference) -> bool:
    """Return whether a port leads elsewhere. If it is missing, down or deaf, it only lets less through."""
    is_port = difference.kind is DriftKind.PORT and difference.change is DriftChange.CHANGED
    # Differences of a port's settings have longer keys.
    return is_port and difference.key.removeprefix("port ").isdigit()
