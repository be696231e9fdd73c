"""The single writer: everything that changes state comes through here, one event at a time."""

from controller.runtime.runtime import Accepted, Runtime, Surroundings
from controller.runtime.switches import Channel, SwitchRecord

__all__ = ["Accepted", "Channel", "Runtime", "Surroundings", "SwitchRecord"]
