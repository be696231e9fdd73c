"""How a packet relates to the connection that it was found in, and which ct_state goes with it.

The direction and the ends are ghosts: a packet that conntrack calls invalid has no direction for the switch.
"By the initiator" means that the sender is that end, or another router that leads to the same place.
"""

from typing import Final

from controller.pipeline.fields import CtState

_NEW, _EST, _REL, _RPL, _INV, _TRK = (
    CtState.NEW, CtState.ESTABLISHED, CtState.RELATED, CtState.REPLY, CtState.INVALID, CtState.TRACKED,
)  # fmt: skip
STATES: Final = 256  # ct_state has eight bits; a mask of states has one bit for each value

UNTRACKED: Final = 1 << 0
NEW: Final = 1 << 1  # there is no such connection; invalid packets without one are included
ORIGINAL: Final = 1 << 2  # in the direction of the first packet, by the initiator
ORIGINAL_BY_STRANGER: Final = 1 << 3  # by neither end
REPLY: Final = 1 << 4  # in the other direction, by the responder
REPLY_BY_STRANGER: Final = 1 << 5
INVALID_BY_INITIATOR: Final = 1 << 6
INVALID_BY_RESPONDER: Final = 1 << 7
INVALID_BY_STRANGER: Final = 1 << 8
ERROR_BY_INITIATOR: Final = 1 << 9  # an ICMP error about a packet of the connection
ERROR_BY_RESPONDER: Final = 1 << 10
ERROR_BY_STRANGER: Final = 1 << 11
ORIGINAL_BY_RESPONDER: Final = 1 << 12  # an end in the direction of the other one
REPLY_BY_INITIATOR: Final = 1 << 13
ALL: Final = (1 << 14) - 1

BY_INITIATOR: Final = ORIGINAL | INVALID_BY_INITIATOR | ERROR_BY_INITIATOR | REPLY_BY_INITIATOR
BY_RESPONDER: Final = REPLY | INVALID_BY_RESPONDER | ERROR_BY_RESPONDER | ORIGINAL_BY_RESPONDER
BY_STRANGER: Final = ORIGINAL_BY_STRANGER | REPLY_BY_STRANGER | INVALID_BY_STRANGER | ERROR_BY_STRANGER
INVALID: Final = INVALID_BY_INITIATOR | INVALID_BY_RESPONDER | INVALID_BY_STRANGER
ERROR: Final = ERROR_BY_INITIATOR | ERROR_BY_RESPONDER | ERROR_BY_STRANGER

NAMES: Final = (
    "untracked", "new", "original", "original by a stranger", "reply", "reply by a stranger",
    "invalid by the initiator", "invalid by the responder", "invalid by a stranger",
    "error by the initiator", "error by the responder", "error by a stranger",
    "original by the responder", "reply by the initiator",
)  # fmt: skip


def _states(*values: int) -> int:
    return sum(1 << value for value in {_TRK | value for value in values})


_VALID = (_NEW, _EST, _EST | _REL, _NEW | _REL)
_ORIGINAL_STATES = _states(*_VALID)
# A connection that both sides have closed may be begun anew from either side: new, with the old label.
_REPLY_STATES = _states(_NEW, *(_RPL | each for each in _VALID))
# Open vSwitch reports an invalid packet without its direction; the label is that of its connection.
INVALID_STATES = _states(_INV)
_ERROR_STATES = _states(*(_REL | way | age for way in (0, _RPL) for age in (0, _NEW, _EST)))
UNTRACKED_STATE: Final = 1 << 0
NEW_STATES: Final = _states(_NEW, _NEW | _REL, _INV)
STATES_OF_MODE: Final = (
    UNTRACKED_STATE,
    NEW_STATES,
    _ORIGINAL_STATES,
    _ORIGINAL_STATES,
    _REPLY_STATES,
    _REPLY_STATES,
    *(3 * (INVALID_STATES,)),
    *(3 * (_ERROR_STATES,)),
    _ORIGINAL_STATES,
    _REPLY_STATES,
)


def states_of(modes: int) -> int:
    """Return the mask of ct_states that packets of some modes may have."""
    return sum_of(STATES_OF_MODE, modes)


def modes_of(states: int) -> int:
    """Return the modes that packets with some ct_states may have."""
    return sum(1 << mode for mode, possible in enumerate(STATES_OF_MODE) if possible & states)


def sum_of(masks: tuple[int, ...], chosen: int) -> int:
    """Return the union of the masks whose places are chosen."""
    united = 0
    for place, mask in enumerate(masks):
        if chosen >> place & 1:
            united |= mask
    return united
