"""Flows that a proof does not take as given.

Decisions and allowances of table `suspicion`, whose number has no bound, are covered by their form: the
proof assumes that any of them may be there. So a flow that has the form needs only this check, and none of
the work of a proof; a flow that does not have it is read as an ordinary flow.

Flows of the tables `MAY_BE_ABSENT` come and go with the health of pools' members (clients that keep their
member): the proof assumes of each one that it may be there or not.
"""

from collections.abc import Iterable

from controller.pipeline.fields import Role, Treatment
from controller.pipeline.tables import Table
from controller.proof import dims
from controller.proof.flows import FieldCriterion, Goto, NeutralFlow, SetTo
from controller.sync.state import WireFlow

_FROM_BACKBONE = bytes.fromhex("00010004") + int(Role.BACKBONE).to_bytes(4)  # reg0
_GOTO_SERVICE = bytes.fromhex("00010008") + bytes([Table.SERVICE, 0, 0, 0])
_TO_DECOYS = (  # apply: set reg4
    bytes.fromhex("00040018000000000019001000010804") + int(Treatment.DECOY).to_bytes(4) + bytes(4)
)
_METER_HEAD = bytes.fromhex("00060008")
_FORMS = frozenset({b"", _GOTO_SERVICE, _TO_DECOYS + _GOTO_SERVICE})  # dropped, passed, treated
_HIGHEST = 0x10000
TABLE = Table.SUSPICION
MAY_BE_ABSENT = frozenset({int(Table.AFFINITY), int(Table.REMEMBER)})


def is_of_decision(flow: WireFlow) -> bool:
    """Return whether a flow is for new connections from the backbone, and drops, limits, treats or passes."""
    instructions = flow.instructions
    if instructions[:4] == _METER_HEAD:
        instructions = instructions[8:]
    return (
        flow.key.table == Table.SUSPICION
        and instructions in _FORMS
        and _FROM_BACKBONE in _entries(flow.key.fields)
    )


def _entries(fields: bytes) -> list[bytes]:
    entries, at = [], 0
    while at + 4 <= len(fields):
        end = at + 4 + fields[at + 3]
        entries.append(fields[at:end])
        at = end
    return entries


def any_decision(are_in_table: Iterable[bool]) -> tuple[NeutralFlow, ...]:
    """Return flows that stand for all decisions there may be, if the switch has the table at all."""
    if not any(are_in_table):
        return ()
    backbone = (FieldCriterion(dims.ROLE, Role.BACKBONE, 32),)
    goto = Goto(Table.SERVICE)
    ways = ((goto,), (SetTo(dims.TREATMENT, Treatment.DECOY), goto))
    return tuple(
        NeutralFlow(Table.SUSPICION, _HIGHEST, backbone, way, is_vague=True, text="any decision")
        for way in ways
    )
