"""The single writer: everything that changes state comes through here, one event at a time."""

from controller.runtime.encoding import Encoder
from controller.runtime.runtime import Accepted, Runtime, Surroundings
from controller.runtime.switches import Channel, SwitchRecord

__all__ = ["Accepted", "Channel", "Encoder", "Runtime", "Surroundings", "SwitchRecord"]
