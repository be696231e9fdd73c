"""A driver steps a dialogue without a task, and ends it with the error that it ended with."""

import asyncio

from services.mail.io.driver import Driver
from services.mail.relay.ports import SessionStopped


async def fail() -> None:
    raise RuntimeError("a fault of ours")


def test_a_fault_in_a_dialogue_is_handed_to_the_one_who_started_it() -> None:
    ended: list[BaseException | None] = []
    Driver(fail(), ended.append).step()
    assert [repr(error) for error in ended] == ["RuntimeError('a fault of ours')"]


def test_a_dialogue_that_has_ended_cannot_be_ended_again() -> None:
    ended: list[BaseException | None] = []
    driver = Driver(fail(), ended.append)
    driver.step()
    driver.end(SessionStopped())
    assert len(ended) == 1


def test_a_dialogue_waits_for_a_real_task_and_ends_when_that_fails() -> None:
    async def main() -> BaseException | None:
        ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

        async def dialogue() -> None:
            await asyncio.get_running_loop().create_task(fail())

        Driver(dialogue(), ended.set_result).step()
        return await ended

    assert repr(asyncio.run(main())) == "RuntimeError('a fault of ours')"


def test_a_dialogue_that_is_ended_cancels_the_task_that_it_waits_for() -> None:
    async def main() -> tuple[bool, BaseException | None]:
        ended: list[BaseException | None] = []
        task = asyncio.get_running_loop().create_task(asyncio.sleep(600))

        async def dialogue() -> None:
            await task

        driver = Driver(dialogue(), ended.append)
        driver.step()
        driver.end(SessionStopped())
        await asyncio.wait([task])
        return task.cancelled(), ended[0]

    was_cancelled, error = asyncio.run(main())
    assert was_cancelled and isinstance(error, SessionStopped)


def test_a_dialogue_that_is_ended_in_the_turn_in_which_its_future_is_done_is_not_stepped_again() -> None:
    async def main() -> tuple[list[BaseException | None], list[dict[str, object]]]:
        loop = asyncio.get_running_loop()
        ended: list[BaseException | None] = []
        faults: list[dict[str, object]] = []
        loop.set_exception_handler(lambda _loop, context: faults.append(context))
        future: asyncio.Future[None] = loop.create_future()

        async def dialogue() -> None:
            await future

        driver = Driver(dialogue(), ended.append)
        driver.step()
        future.set_result(None)
        driver.end(SessionStopped())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return ended, faults

    ended, faults = asyncio.run(main())
    assert [type(error) for error in ended] == [SessionStopped] and faults == []
