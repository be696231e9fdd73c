"""Blocking work beside an event loop, for which a program does not wait when it ends."""

import asyncio
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` in a thread of its own, and return its result or raise its error.

    The thread is a daemon: the program can end in the middle of the work, unlike with `asyncio.to_thread`.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[R] = loop.create_future()

    def finish(value: R | None, error: BaseException | None) -> None:
        if result.done():  # the caller was cancelled
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        try:
            value, error = work(*args, **kwargs), None
        except BaseException as failure:
            value, error = None, failure
        try:
            loop.call_soon_threadsafe(finish, value, error)
        except RuntimeError:  # the loop has ended
            return

    threading.Thread(target=run, daemon=True, name=getattr(work, "__name__", "work")).start()
    return await result
