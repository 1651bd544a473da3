"""Holds requests back: so many at once, so many a minute, and none while the endpoint asks for patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Pace:
    """One endpoint's limits, shared by all requests to it: `concurrency` at once, `rate` starts a minute, evenly spaced.

    `clock` gives monotonic seconds and `sleep` waits; tests bring their own.

    Raises:
        ValueError: a limit is below 1 request, or a rate not above 0.
    """

    def __init__(
        self,
        concurrency: int,
        *,
        rate: float | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {concurrency}")
        if rate is not None and not rate > 0:
            raise ValueError(f"rate must be above 0 requests a minute, got {rate}")
        self._places = asyncio.Semaphore(concurrency)
        self._gap = 60.0 / rate if rate is not None else 0.0
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._next = 0.0
        self._resume_at = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a place and for the moment to start; the place is held until the block ends."""
        async with self._places:
            await self._wait()
            yield

    def pause(self, seconds: float) -> None:
        """Lets no request start for this long, whoever asked: the endpoint's limit is everyone's."""
        self._resume_at = max(self._resume_at, self._clock() + seconds)

    async def _wait(self) -> None:
        if self._gap:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._gap  # taken before waiting, so that those who wait line up
            if start > now:
                await self._sleep(start - now)
        while (left := self._resume_at - self._clock()) > 0:
            await self._sleep(left)
