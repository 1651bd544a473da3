"""Micro-batches in flight: the work of the next overlaps the delivery of the last, and they finish first in, first out."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Belt:
    """Holds at most `depth` micro-batches in flight and finishes each after all that were put before it.

    The first failure is handed to `failed` once. From then on nothing is finished any more and `put` never returns: what is
    not acknowledged is read again after the restart, and going on would acknowledge past it.
    """

    def __init__(self, *, depth: int, failed: Callable[[BaseException], None]) -> None:
        self._depth = depth
        self._failed = failed
        self._flight: deque[asyncio.Task[None]] = deque()
        self._broken = False

    @property
    def busy(self) -> bool:
        """Whether a micro-batch is in flight."""
        return any(not task.done() for task in self._flight)

    async def put(self, work: Awaitable[T], finish: Callable[[T], Awaitable[None]]) -> None:
        """Starts `work`, whose result goes to `finish` in turn; returns when there is room for one more batch."""
        before = self._flight[-1] if self._flight else None
        task = asyncio.create_task(self._run(asyncio.ensure_future(work), finish, before))
        task.add_done_callback(self._note)
        self._flight.append(task)
        while len(self._flight) >= self._depth or self._broken:
            if self._broken:
                await asyncio.Event().wait()  # until this task is cancelled: leaving the stream would acknowledge it
            await asyncio.wait([self._flight[0]])
            self._sweep()

    async def _run(
        self, work: asyncio.Future[T], finish: Callable[[T], Awaitable[None]], before: asyncio.Task[None] | None
    ) -> None:
        result = await work
        if before is not None:
            await before
        await finish(result)

    def _sweep(self) -> None:
        while self._flight and self._flight[0].done() and not self._broken:
            self._flight.popleft()

    def _note(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken:
            self._broken = True
            self._failed(error)
