"""Every command is plain, frozen and serialisable, has one handler, is permitted to a role,
and is a change or not.
"""

import importlib
import inspect
import pickle
import pkgutil
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest

from controller.runtime import Asked, commands, handlers
from controller.runtime.commands.antivirus import ReadFleet
from controller.runtime.commands.base import Change, Command
from controller.runtime.commands.members import ListPools, ReadAgentSettings, ReadPoolSettings
from controller.runtime.commands.policy import ExplainRule, PlanPolicy, ReadConsent, ReadFlows
from controller.runtime.commands.sessions import ReadSessionWork
from controller.runtime.commands.suspicion import ExplainSource, MakeDecisions
from controller.runtime.commands.switches import ReadStatus
from controller.runtime.commands.tokens import IdentifyBearer, ListTokens
from controller.runtime.handlers import HANDLERS
from controller.runtime.permissions import COMMANDS_BY_ROLE
from controller.runtime.principals import OPERATOR, AccessRole
from controller.suspicion.decision import Request
from tests.world import DEMO, World

# The first words of commands that are no changes: they read, or report and act on what was measured.
_READS = ("Read", "Demand", "List", "Find", "Explain", "Plan", "Count", "Identify")
_ROUTINE = ("Report", "Note", "Cut", "WakeUp")
_SAMPLES: dict[type, object] = {
    str: "x",
    int: 1,
    float: 1.5,
    bool: True,
    IPv4Address: IPv4Address("198.51.100.66"),
    IPv6Address: IPv6Address("2001:db8::66"),
    IPv4Network: IPv4Network("198.51.100.0/24"),
    IPv6Network: IPv6Network("2001:db8::/48"),
}


def kinds() -> list[type[Command[object]]]:
    """Return every class of a command."""
    modules = [importlib.import_module(each.name) for each in _modules_of(commands)]
    found = {
        member
        for module in modules
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Command) and member not in (Command, Change)
    }
    return sorted(found, key=lambda kind: kind.__name__)


def _modules_of(package: types.ModuleType) -> list[pkgutil.ModuleInfo]:
    return list(pkgutil.iter_modules(package.__path__, f"{package.__name__}."))


def sample(wanted: Any) -> Any:
    """Return a value of a type; fails for a type that does not travel."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return sample(next(each for each in arguments if each is not type(None)))
    if origin in (tuple, frozenset):
        return origin([sample(arguments[0])])
    if origin is Mapping:
        return {sample(arguments[0]): sample(arguments[1])}
    if wanted in _SAMPLES:
        return _SAMPLES[wanted]
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return next(iter(wanted))
    assert is_dataclass(wanted), f"{wanted} is not plain"
    return built(wanted)


def built(kind: Any) -> Any:
    assert kind.__dataclass_params__.frozen, f"{kind.__name__} is not frozen"
    is_of_hosts = kind.__module__.startswith("common.wire.")  # these cache what they look up
    assert is_of_hosts or "__slots__" in vars(kind), f"{kind.__name__} has no slots"
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: sample(hints[field.name]) for field in fields(kind)})


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_command_in_its_envelope_travels_to_another_process(kind: type[Command[object]]) -> None:
    asked = Asked(built(kind), OPERATOR, "a test", 1_790_000_000.0)
    assert pickle.loads(pickle.dumps(asked)) == asked


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_the_handler_of_a_command_takes_it_and_returns_what_it_promises(kind: Any) -> None:
    hints = typing.get_type_hints(HANDLERS[kind])
    (promise,) = [base for base in kind.__orig_bases__ if typing.get_origin(base) in (Command, Change)]
    (result,) = typing.get_args(promise)
    assert hints["command"] is kind
    assert hints["return"] == result


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_result_is_immutable(kind: Any) -> None:
    assert list(mutable_types(typing.get_type_hints(HANDLERS[kind])["return"], frozenset())) == []


def mutable_types(wanted: Any, seen: frozenset[Any]) -> Iterator[Any]:
    """Yield each type within a result that can be changed; a `Mapping` can only be read."""
    if wanted in seen:
        return
    parts = typing.get_args(wanted)
    if is_dataclass(wanted):
        if not vars(wanted)["__dataclass_params__"].frozen:
            yield wanted
        hints = typing.get_type_hints(wanted)
        parts = tuple(hints[field.name] for field in fields(wanted))
    elif (typing.get_origin(wanted) or wanted) in (list, dict, set, bytearray):
        yield wanted
    for part in parts:
        yield from mutable_types(part, seen | {wanted})


def test_every_command_has_one_handler_and_every_handler_one_command() -> None:
    modules = [importlib.import_module(each.name) for each in _modules_of(handlers)]
    written = {
        function
        for module in modules
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and "context" in inspect.signature(function).parameters
    }
    assert set(HANDLERS) == set(kinds())
    assert len(set(HANDLERS.values())) == len(HANDLERS)
    assert set(HANDLERS.values()) == written


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_command_is_a_change_or_its_name_says_that_it_is_none(kind: type[Command[object]]) -> None:
    assert issubclass(kind, Change) != kind.__name__.startswith((*_READS, *_ROUTINE))


def test_every_command_is_permitted_to_the_controller_and_says_who_else_may() -> None:
    assert COMMANDS_BY_ROLE[AccessRole.CONTROLLER] == set(kinds())
    assert set(COMMANDS_BY_ROLE) == set(AccessRole)


def test_a_token_does_not_appear_in_what_logs_show_of_a_command() -> None:
    assert "s3cret" not in repr(IdentifyBearer("s3cret"))


@pytest.mark.parametrize(
    "command",
    [
        ReadStatus(),
        ReadFlows(),
        PlanPolicy("demo.yaml", DEMO),
        ExplainRule("tenants.acme"),
        ReadConsent("acme"),
        ListPools(),
        ReadAgentSettings("proxy1"),
        ReadPoolSettings("proxies"),
        MakeDecisions((built(Request),)),
        ExplainSource(IPv4Network("198.51.100.66")),
        ListTokens(),
        ReadFleet(),
        ReadSessionWork(frozenset({1})),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_comes_back_travels_as_well(command: Command[object]) -> None:
    world = World()
    world.start()
    world.settle(world.connect())
    result = world.handle(command)
    assert pickle.loads(pickle.dumps(result)) == result
