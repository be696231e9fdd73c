"""The channel over the framework's connection."""

from apps.channel import RyuChannel
from controller.openflow import messages
from controller.openflow.messages import Type
from controller.sync.settings import SettingsReset


class Datapath:
    def __init__(self) -> None:
        self.sent = b""

    def send(self, buffer: bytes) -> None:
        self.sent += buffer


def test_every_message_of_a_switch_is_a_sign_of_life() -> None:
    channel = RyuChannel(Datapath(), b"key")
    assert channel.received == 0
    for _ in range(2):
        channel.receive(messages.barrier(1))
    assert channel.received == 2


def test_settings_are_put_back_and_the_ports_are_read_afterwards() -> None:
    datapath = Datapath()
    RyuChannel(datapath, b"key").reset(SettingsReset(tables=(3,), miss_send_len=128))
    kinds, at = [], 0
    while at < len(datapath.sent):
        kinds.append(datapath.sent[at + 1])
        at += int.from_bytes(datapath.sent[at + 2 : at + 4])
    assert kinds == [Type.TABLE_MOD, Type.SET_CONFIG, Type.MULTIPART_REQUEST]
