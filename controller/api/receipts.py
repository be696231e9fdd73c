"""How a response learns what switches hold now: they are asked, and the answer waits for them, bounded."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from common.wire.codec import Json
from controller.api.confirm import PATIENCE_S, STEP_S
from controller.api.context import Caller, Outside
from controller.ids import OWN_COOKIES, cookie_of
from controller.reports import sources
from controller.runtime.commands.receipts import CountFlows, ReadCounts
from controller.runtime.commands.suspicion import ReadAllowanceReceipts, ReadReceipts
from controller.runtime.lookups import MOST_COOKIES, exactly
from controller.sync.receipts import Sighting

T = TypeVar("T")
MOST_NUMBERS = MOST_COOKIES  # decisions or allowances that are looked up for one response


def look_up(ask: Caller, cookies: Iterable[int]) -> Mapping[str, Sighting]:
    """Return what each switch holds under cookies of the policy.

    For very many rules at once, a switch is asked for all flows of the policy, without those of decisions.
    """
    wanted = tuple(dict.fromkeys(cookies))
    if not wanted:
        return {}
    is_much = len(wanted) > MOST_COOKIES
    number = ask(CountFlows((OWN_COOKIES,) if is_much else tuple(map(exactly, wanted))))
    return await_answers(ask.outside, lambda is_last: ask(ReadCounts(number, is_last)))


def of_decisions(ask: Caller, numbers: Iterable[int]) -> dict[int, Json]:
    """Return the receipts of decisions, by number."""
    return _receipts(ask, "decisions", numbers)


def of_allowances(ask: Caller, numbers: Iterable[int]) -> dict[int, Json]:
    """Return the receipts of entries of the allow-list, by number."""
    return _receipts(ask, "allow", numbers)


def _receipts(ask: Caller, rule: str, numbers: Iterable[int]) -> dict[int, Json]:
    chosen = tuple(numbers)[:MOST_NUMBERS]
    if not chosen:
        return {}
    look_up = ask(CountFlows(tuple(exactly(cookie_of(f"{rule}.{number}")) for number in chosen)))
    found = await_answers(
        ask.outside,
        lambda is_last: ask(
            ReadReceipts(chosen, look_up, is_last)
            if rule == "decisions"
            else ReadAllowanceReceipts(chosen, look_up, is_last)
        ),
    )
    return {number: sources.receipt(each) for number, each in found.items()}


def await_answers(outside: Outside, read: Callable[[bool], T | None]) -> T:
    """Return what `read` returns at last; it is told when it must not wait any longer."""
    deadline = outside.now() + PATIENCE_S
    while True:
        is_last = outside.now() >= deadline
        if (found := read(is_last)) is not None:
            return found
        assert not is_last
        outside.sleep(STEP_S)
