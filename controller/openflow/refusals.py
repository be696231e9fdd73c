"""Errors of a switch in words, with what to do about them.

Names are those of OpenFlow 1.4, 7.5.4. Only errors that an operator can do something about have words of
their own.
"""

from controller.openflow.replies import SwitchError

_KINDS = {
    1: "bad request",
    2: "bad action",
    3: "bad instruction",
    4: "bad match",
    5: "flow-mod failed",
    6: "group-mod failed",
    7: "port-mod failed",
    8: "table-mod failed",
    10: "settings refused",
    12: "meter-mod failed",
    17: "bundle failed",
}
_ROOM = "make room, or use a switch that holds more"
_LIMIT = "ovs-vsctl list Flow_Table shows limits; remove them (ovs-vsctl clear Bridge BRIDGE flow_tables)"
_NOT_ALLOWED = "let the switch accept changes from this controller (ovs-vsctl get-controller BRIDGE)"
_KNOWN = {  # kind and code: what it means, and a remedy
    (1, 5): ("this controller may not do that", _NOT_ALLOWED),
    (1, 10): ("another controller has made this one its slave", _NOT_ALLOWED),
    (5, 1): ("the table is full", _LIMIT),
    (5, 4): ("this controller may not do that", _NOT_ALLOWED),
    (6, 3): ("it has no room for another group", _ROOM),
    (6, 4): ("it has no room for another bucket", _ROOM),
    (7, 4): ("this controller may not do that", _NOT_ALLOWED),
    (8, 2): ("this controller may not do that", _NOT_ALLOWED),
    (10, 2): ("this controller may not do that", _NOT_ALLOWED),
    (12, 10): ("it has no room for another meter", _ROOM),
    (12, 11): ("it has no room for another band of a meter", _ROOM),
}
_REMEDY = "ovs-vswitchd.log on its host may say why"


def describe_error(error: SwitchError) -> str:
    return f"{_said(error)}{_message(error)}"


def describe_refusal(error: SwitchError) -> str:
    """Return what a switch says about something that it must hold, with a remedy."""
    _, remedy = _KNOWN.get((error.kind, error.code), ("", _REMEDY))
    return f"{_said(error)}; remedy: {remedy}{_message(error)}"


def _said(error: SwitchError) -> str:
    kind = _KINDS.get(error.kind, f"error type {error.kind}")
    meaning, _ = _KNOWN.get((error.kind, error.code), ("", ""))
    return f"the switch refused: {kind}, code {error.code}{f', {meaning}' if meaning else ''}"


def _message(error: SwitchError) -> str:
    """It comes last, since it is long, and is cut off where there is no room."""
    return f" (message {error.failed_message[:64].hex()})"
