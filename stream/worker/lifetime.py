"""The life of a worker's process: start, serve until a signal or a failure, drain, stop."""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Any

from models.errors import ModelError
from stream.errors import ValueDriftError, WorkerError
from stream.worker.failure import Failure, explain
from stream.worker.stage import Stage

STOP_WITHIN = 8.0
"""Seconds until what has not stopped is abandoned; the promise to the outside is ten."""


class StopTimeoutError(WorkerError):
    """Something did not stop in time: the process must end the hard way. `delivered` says that nothing was in flight any more."""

    def __init__(self, message: str, *, delivered: bool) -> None:
        super().__init__(message)
        self.delivered = delivered


async def serve(stages: Sequence[Stage[Any]], failure: Failure, *, say: Callable[[str], None]) -> None:
    """Runs the stages until SIGINT or SIGTERM, then drains, commits and returns.

    Raises:
        WorkerError: a stage failed; nothing is committed that was not delivered. `StopTimeoutError` if it does not stop either.
        ValueDriftError, ModelError: what a stage failed with, where that says more.
    """
    stop = _on_signals()
    starts = asyncio.ensure_future(_start(stages))
    error: ValueDriftError | ModelError | None = None
    try:
        await _until_end(stop, failure, stages, starts=starts, say=say)
        say("stopping: what is in flight is delivered and committed first")
    except (ValueDriftError, ModelError) as failed:
        error = failed
        for stage in stages:
            stage.app.abandon()
    if not await _stopped(stages, starts):
        delivered = error is None and not any(stage.busy for stage in stages)
        why = "Kafka did not let go of the group" if delivered else "what was in flight could not be delivered"
        told = f"{why} within {STOP_WITHIN:.0f} s; the next worker reads again what was not committed"
        raise StopTimeoutError(f"{error}; {told}" if error else told, delivered=delivered) from error
    if error is not None:
        raise error


async def _start(stages: Sequence[Stage[Any]]) -> None:
    """Returns when every stage has its partitions and its state."""
    await asyncio.gather(*(stage.app.start() for stage in stages))


async def _until_end(
    stop: asyncio.Event,
    failure: Failure,
    stages: Sequence[Stage[Any]],
    *,
    starts: asyncio.Future[None],
    say: Callable[[str], None],
) -> None:
    """Says when all is ready; returns at a signal, raises when a stage fails or Faust gives up."""
    ends: set[asyncio.Future[Any]] = {
        asyncio.create_task(stop.wait()),
        asyncio.create_task(failure.wait()),
        *(asyncio.create_task(stage.app.wait_until_stopped()) for stage in stages),
    }
    try:
        ended, _ = await asyncio.wait({starts, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if ended == {starts}:
            if error := starts.exception():
                raise explain("first", error)
            say("ready")
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
    if failure.error is not None:
        raise failure.error
    for stage in stages:
        if stage.app.crash_reason is not None:
            raise explain(stage.name, stage.app.crash_reason)


def _on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _stopped(stages: Sequence[Stage[Any]], starts: asyncio.Future[None]) -> bool:
    """Stops the stages side by side, and says whether they did in time."""
    if not starts.done():
        # Faust calls a start that is broken off a crash, with a traceback for each service; it is none.
        for noisy in ("faust", "mode", "aiokafka", "stream.worker.driver", "stream.worker.table"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL + 1)
    try:
        async with asyncio.timeout(STOP_WITHIN):
            await asyncio.gather(*(stage.app.stop() for stage in stages), return_exceptions=True)
            await asyncio.wait([starts])
    except TimeoutError:
        return False
    return True
