"""Probes: who sent one is read from it, and from no frame that somebody else made."""

import pytest
from ryu.lib.packet import lldp, packet

from controller.openflow.lldp import decode_probe, encode_probe
from controller.policy.model import PortRef

KEY, PORT = b"k" * 32, PortRef("edge-1", 11)


def test_a_probe_says_which_port_sent_it() -> None:
    assert decode_probe(encode_probe(PORT, KEY), KEY) == PORT


def test_a_probe_is_lldp_that_others_can_read() -> None:
    read = packet.Packet(encode_probe(PORT, KEY)).get_protocol(lldp.lldp)
    assert [tlv.tlv_type for tlv in read.tlvs] == [1, 2, 3, 127, 0]
    assert read.tlvs[1].port_id == b"edge-1:11"


def test_a_probe_of_another_controller_is_nobodys() -> None:
    assert decode_probe(encode_probe(PORT, b"other"), KEY) is None


@pytest.mark.parametrize("at", range(14, 60))
def test_a_probe_that_was_changed_is_nobodys_or_says_the_same(at: int) -> None:
    frame = bytearray(encode_probe(PORT, KEY))
    frame[at % len(frame)] ^= 0x41
    assert decode_probe(bytes(frame), KEY) in (None, PORT)


@pytest.mark.parametrize("length", range(70))
def test_a_probe_that_was_cut_off_is_nobodys_or_whole(length: int) -> None:
    assert decode_probe(encode_probe(PORT, KEY)[:length], KEY) in (None, PORT)


def test_rubbish_is_nobodys() -> None:
    assert decode_probe(b"\xff" * 1500, KEY) is None
    assert decode_probe(b"\x00" * 12 + b"\x88\xcc" + b"\xff" * 1500, KEY) is None
