"""What a flow monitor reports, bytes to values (OpenFlow 1.4.1, 7.3.5.18). Everything is bounded and checked.

Raises `BadMessage` if lengths do not match, or for an event that the specification does not have.
"""

import struct

from controller.openflow.messages import MonitorEvent, RemovedReason
from controller.openflow.oxm import canonical
from controller.openflow.replies import BadMessage, check_fields
from controller.sync.outcomes import FlowsChanged, FlowUpdate
from controller.sync.state import WireFlow, WireKey

_FULL = struct.Struct("!HHBBHHH4xQ")  # ofp_flow_update_full, up to its match
_MATCH_HEAD_BYTES = 4
_SHORT_BYTES = 8  # of an abbreviation, and of `paused` and `resumed`
_TOOK_ALONG = (RemovedReason.GROUP_DELETE, RemovedReason.METER_DELETE)


def parse_updates(body: bytes) -> FlowsChanged:
    """Return what an OFPMP_FLOW_MONITOR reply says, in order, without abbreviations of Postern's changes."""
    updates = []
    was_paused = was_resumed = False
    at = 0
    while at < len(body):
        if at + _SHORT_BYTES > len(body):
            raise BadMessage("truncated flow update")
        length, event = struct.unpack_from("!HH", body, at)
        if length < _SHORT_BYTES or length % 8 or at + length > len(body):
            raise BadMessage(f"flow update says {length} bytes, {len(body) - at} are left")
        if event in (MonitorEvent.PAUSED, MonitorEvent.RESUMED):
            was_paused |= event == MonitorEvent.PAUSED
            was_resumed |= event == MonitorEvent.RESUMED
        elif event <= MonitorEvent.MODIFIED:
            updates.append(_parse_full(body[at : at + length]))
        elif event != MonitorEvent.ABBREV:
            raise BadMessage(f"flow update with event {event}")
        at += length
    return FlowsChanged(tuple(updates), was_paused, was_resumed)


def _parse_full(entry: bytes) -> FlowUpdate:
    if len(entry) < _FULL.size + _MATCH_HEAD_BYTES:
        raise BadMessage("truncated flow update")
    _, event, table, reason, idle, hard, priority, cookie = _FULL.unpack_from(entry)
    (match_length,) = struct.unpack_from("!H", entry, _FULL.size + 2)
    padded = (match_length + 7) // 8 * 8
    if match_length < _MATCH_HEAD_BYTES or _FULL.size + padded > len(entry):
        raise BadMessage("match longer than its flow update")
    wire = entry[_FULL.size + _MATCH_HEAD_BYTES : _FULL.size + match_length]
    check_fields(wire)
    key = WireKey(table, priority, canonical(wire))
    flow = WireFlow(key, cookie, entry[_FULL.size + padded :], wire, idle << 16 | hard)
    was_removed = event == MonitorEvent.REMOVED
    return FlowUpdate(flow, was_removed, was_removed and reason in _TOOK_ALONG)
