"""The belt: micro-batches overlap, finish in order, and stop at the first failure."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from stream.worker.belt import Belt


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 5))


class Log:
    """What was finished, in order."""

    def __init__(self) -> None:
        self.finished: list[str] = []
        self.failures: list[BaseException] = []

    async def finish(self, name: str) -> None:
        self.finished.append(name)

    def belt(self, depth: int = 2) -> Belt:
        return Belt(depth=depth, failed=self.failures.append)


async def after(seconds: float, name: str) -> str:
    await asyncio.sleep(seconds)
    return name


async def failing(seconds: float) -> str:
    await asyncio.sleep(seconds)
    raise ValueError("broken")


async def drained(belt: Belt) -> None:
    while belt.busy:  # noqa: ASYNC110 - the belt tells nobody when it is empty, and a test may poll
        await asyncio.sleep(0.001)


def test_a_batch_that_is_done_sooner_waits_for_those_before_it() -> None:
    async def test() -> None:
        log = Log()
        belt = log.belt(depth=3)
        await belt.put(after(0.05, "slow"), log.finish)
        await belt.put(after(0.0, "quick"), log.finish)
        await drained(belt)
        assert log.finished == ["slow", "quick"]

    run(test)


def test_the_work_of_the_next_batch_overlaps_that_of_the_one_before() -> None:
    async def test() -> None:
        log = Log()
        both = asyncio.Barrier(2)

        async def work(name: str) -> str:
            await both.wait()  # never ends unless both are at work at once
            return name

        belt = log.belt()
        await belt.put(work("first"), log.finish)
        await belt.put(work("second"), log.finish)
        await drained(belt)
        assert log.finished == ["first", "second"]

    run(test)


def test_no_more_than_the_depth_is_in_flight() -> None:
    async def test() -> None:
        log, busy, most = Log(), 0, 0

        async def work(name: str) -> str:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.001)
            return name

        async def finish(name: str) -> None:
            nonlocal busy
            await asyncio.sleep(0.001)
            busy -= 1
            await log.finish(name)

        belt = log.belt()
        for number in range(10):
            await belt.put(work(str(number)), finish)
        await drained(belt)
        assert log.finished == [str(number) for number in range(10)]
        assert most == 2

    run(test)


@pytest.mark.parametrize("where", ["work", "finish"])
def test_after_a_failure_nothing_is_finished_and_no_batch_is_taken(where: str) -> None:
    async def test() -> None:
        log = Log()

        async def broken(name: str) -> None:
            raise ValueError(name)

        work, finish = (failing(0.01), log.finish) if where == "work" else (after(0.01, "first"), broken)
        belt = log.belt()
        await belt.put(work, finish)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(belt.put(after(0.0, "second"), log.finish), 0.1)
        assert log.finished == []
        assert [type(failure) for failure in log.failures] == [ValueError]

    run(test)


def test_a_failure_lets_the_batches_before_it_finish() -> None:
    async def test() -> None:
        log = Log()
        belt = log.belt(depth=3)
        await belt.put(after(0.05, "first"), log.finish)
        await belt.put(failing(0.0), log.finish)
        await asyncio.sleep(0.02)
        assert log.failures
        await asyncio.sleep(0.05)
        assert log.finished == ["first"]

    run(test)
