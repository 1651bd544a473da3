"""Rounds one after another, as a schedule says: begins or resumes each, delivers while it runs, and says how it ended."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from stream import times
from stream.errors import EndpointError
from stream.sampling.endpoint import Endpoint
from stream.sampling.outputs import Output
from stream.sampling.sampler import Ending, Sampler, Tally
from stream.sampling.schedule import Schedule, Start

SETTLE_EVERY = 1.0
"""Seconds between deliveries to Kafka."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """How one round went: what it came to, in how many seconds, and the error that ended it, if one did."""

    name: str
    ending: Ending
    tally: Tally
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what: `began` a round's name, `ended` its report, `waits` the seconds until the next and how many were missed."""

    began: Callable[[str], None]
    ended: Callable[[RoundReport], None]
    waits: Callable[[float, int], None]


class Runner:
    """Runs one round, or rounds on a schedule until its end, a budget, or `stop()`."""

    def __init__(
        self, sampler: Sampler, endpoint: Endpoint, output: Output, *, schedule: Schedule | None, listeners: Listeners
    ) -> None:
        self._sampler = sampler
        self._endpoint = endpoint
        self._output = output
        self._schedule = schedule
        self._listeners = listeners
        self._stopped = asyncio.Event()
        self._first = True

    def stop(self) -> None:
        """Ends the run once the answers under way are there."""
        self._stopped.set()
        self._sampler.stop()

    async def run(self, *, check: bool, rng: random.Random) -> Ending:
        """Returns how the last round ended; `check` asks the endpoint for its models first.

        On a schedule a round that fails for reasons that may pass is reported, and the next one goes on where it stopped.

        Raises:
            EndpointError: without a schedule, the endpoint cannot be used; with one, not even in the first round.
        """
        async with self._endpoint:
            if check:
                await self._endpoint.check()
            first = time.time()
            start, given = Start(0, first, 0), 0
            while True:
                ending = await self._round()
                given += 1
                schedule = self._schedule
                if schedule is None or self._stopped.is_set() or ending is Ending.BUDGET or given == schedule.rounds:
                    return ending
                start = schedule.following(start, first=first, now=time.time(), rng=rng)
                self._listeners.waits(start.at - time.time(), start.missed)
                if await self._wait(start.at):
                    return Ending.STOPPED

    async def _round(self) -> Ending:
        if self._output.round_name is None:
            self._output.begin(_name(time.time()))
        name = self._output.round_name or ""
        began = time.monotonic()
        await self._output.settle()
        self._listeners.began(name)
        error: EndpointError | None = None
        finished = asyncio.Event()
        pump = asyncio.create_task(self._pump(finished))
        asking = asyncio.create_task(self._sampler.round(name))
        try:
            await asyncio.wait((pump, asking), return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                self._sampler.stop()  # what is under way is paid for, and is kept
                await asyncio.wait((asking,))
            ending = await asking
        except EndpointError as failed:
            error, ending = failed, Ending.FAILURES
        finally:
            finished.set()  # not cancelled: what is on its way to Kafka is not sent twice
            asking.cancel()
            await asyncio.gather(pump, asking, return_exceptions=True)
        await pump
        await self._output.settle()
        if ending is Ending.COMPLETE:
            await self._output.complete()
        self._listeners.ended(
            RoundReport(
                name=name,
                ending=ending,
                tally=self._sampler.tally,
                seconds=time.monotonic() - began,
                error=str(error) if error else None,
            )
        )
        if error is not None and (self._schedule is None or self._first):
            raise error
        self._first = False
        return ending

    async def _pump(self, finished: asyncio.Event) -> None:
        while not finished.is_set():
            try:
                await asyncio.wait_for(finished.wait(), SETTLE_EVERY)
            except TimeoutError:
                await self._output.settle()

    async def _wait(self, until: float) -> bool:
        """Says whether the wait was cut short."""
        try:
            await asyncio.wait_for(self._stopped.wait(), max(0.0, until - time.time()))
        except TimeoutError:
            return False
        return True


def _name(now: float) -> str:
    """A round's name is when it began, to the millisecond: it sorts, and people can read it."""
    return times.render(int(now * 1_000) * 1_000)[:23] + "Z"
