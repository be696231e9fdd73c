"""What a handler is."""

from collections.abc import Callable, Mapping
from typing import Any

from controller.runtime.commands.base import Command
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore

# What a handler takes and returns is its own command and that command's result, which no type of Python
# can say of a table; a test says it.
Handler = Callable[[RuntimeCore, Any, Context], Any]
Handlers = Mapping[type[Command[object]], Handler]
