"""What a handler is."""

from collections.abc import Callable, Mapping
from typing import Any

from controller.runtime.commands.base import Command
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore

# A handler takes its own command and returns that command's result. Python's types cannot express this
# for a table, so a test checks it.
Handler = Callable[[RuntimeCore, Any, Context], Any]
Handlers = Mapping[type[Command[object]], Handler]
