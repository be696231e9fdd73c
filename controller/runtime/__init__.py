"""The single writer: everything that changes state comes through here, one event at a time."""

from controller.runtime.encoding import Encoder
from controller.runtime.runtime import Accepted, Dependencies, Runtime
from controller.runtime.switches import Channel, SwitchRecord

__all__ = ["Accepted", "Channel", "Dependencies", "Encoder", "Runtime", "SwitchRecord"]
