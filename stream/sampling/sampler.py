"""One round of probing: sends a plan's requests, so many at once, and keeps each answer before the next is asked for."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from stream.core.records import ResponseEvent
from stream.errors import EndpointError
from stream.sampling.endpoint import Endpoint, GaveUpError, OutOfBudgetError
from stream.sampling.plan import Ask, Plan
from stream.sampling.protocol import Skip, Trouble, Unanswered
from stream.sampling.settle import LOOK, Settled

FAILURES_IN_A_ROW = 3
"""Requests that fail one after another, each tried as often as patience allows, until the endpoint counts as down."""


class Ending(StrEnum):
    """Why a round ended."""

    COMPLETE = "complete"
    BUDGET = "budget"
    STOPPED = "stopped"
    FAILURES = "failures"


class Keeper(Protocol):
    """Where answers are kept; `done` and `texts` say what is there already, by prompt id."""

    @property
    def done(self) -> dict[str, frozenset[int]]:
        """Indexes that need no asking."""

    @property
    def texts(self) -> dict[str, list[tuple[str, str]]]:
        """The (prompt, response) pairs kept in this round."""

    def add(self, prompt: str, events: Sequence[ResponseEvent], unanswered: Sequence[tuple[int, Unanswered]]) -> None:
        """Keeps what one request brought."""

    def close(self, prompt: str) -> None:
        """Waits no longer for answers of this prompt."""


Label = Callable[[list[tuple[str, str]]], list[int]]
"""Behaviours of (prompt, response) pairs; called in a thread."""


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Stops asking a prompt once its distribution is settled: the rule, how behaviours are told, and how many there are."""

    rule: Settled
    label: Label
    categories: int


@dataclass(slots=True)
class Tally:
    """What a round has come to so far; `saved` counts answers that a settled prompt did not need."""

    total: int
    answered: int = 0
    unanswered: int = 0
    saved: int = 0
    already: int = 0
    troubles: dict[Trouble, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Answers that a whole round would still bring."""
        return self.total - self.answered - self.unanswered - self.saved - self.already


class Sampler:
    """Runs rounds of one plan against one endpoint, keeping answers in `keeper`."""

    def __init__(
        self,
        plan: Plan,
        endpoint: Endpoint,
        keeper: Keeper,
        *,
        concurrency: int,
        environment: str | None,
        adaptive: Adaptive | None = None,
    ) -> None:
        self._plan = plan
        self._endpoint = endpoint
        self._keeper = keeper
        self._concurrency = concurrency
        self._environment = environment
        self._adaptive = adaptive
        self._ending: Ending | None = None
        self._again: deque[Ask] = deque()
        self._asks: Iterator[Ask] = iter(())
        self._counts: dict[str, list[int]] = {}
        self._settled: set[str] = set()
        self._failures = 0
        self._workers: set[asyncio.Task[None]] = set()
        self.tally = Tally(plan.answers)

    @property
    def kept(self) -> dict[str, frozenset[int]]:
        """Indexes that need no asking, by prompt id."""
        return self._keeper.done

    def stop(self) -> None:
        """Sends no further request; those under way are waited for, and their answers kept."""
        self._ending = self._ending or Ending.STOPPED
        self._halt()

    async def round(self, name: str) -> Ending:
        """Asks for what the round `name` lacks; returns when nothing is left to ask, or why it ended before.

        Raises:
            EndpointError: the endpoint cannot be used, or failed `FAILURES_IN_A_ROW` times. What was answered is kept.
        """
        self.tally = Tally(self._plan.answers, already=sum(map(len, self._keeper.done.values())))
        self._endpoint.closing = self._ending is Ending.STOPPED
        self._ending = Ending.STOPPED if self._endpoint.closing else None
        self._asks = self._plan.asks(name, self._keeper.done)
        self._again.clear()
        self._counts, self._settled, self._failures = {}, set(), 0
        for prompt, texts in self._keeper.texts.items():
            await self._learn(prompt, texts)
        error = await self._join({asyncio.create_task(self._work(name)) for _ in range(self._concurrency)})
        if error is not None:
            raise error
        if self._ending is not None:
            return self._ending
        return Ending.FAILURES if self.tally.missing else Ending.COMPLETE

    async def _join(self, workers: set[asyncio.Task[None]]) -> BaseException | None:
        """Waits for all workers; after the first error no request is sent any more, but answers under way are still kept."""
        self._workers = pending = workers
        error: BaseException | None = None
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                failed = [worker.exception() for worker in done if not worker.cancelled() and worker.exception()]
                if failed and error is None:
                    error = failed[0]
                    self._halt()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return error

    def _halt(self) -> None:
        """Ends the workers that wait for anything but an answer; an answer that is paid for is waited for."""
        self._endpoint.closing = True
        for worker in self._workers:
            if worker not in self._endpoint.exchanging:
                worker.cancel()

    async def _work(self, name: str) -> None:
        while self._ending is None and (ask := self._next()) is not None:
            try:
                found = await self._endpoint.ask(ask, round_name=name, environment=self._environment)
            except OutOfBudgetError:
                self._ending = self._ending or Ending.BUDGET
                return
            except GaveUpError as failure:
                if not self._endpoint.closing:
                    self._count_failure(failure.trouble)
                continue
            self._failures = 0
            if isinstance(found, Skip):
                self._keep(ask, (), [(index, found.reason) for index in ask.indexes])
                continue
            self._keep(ask, found.events, found.unanswered)
            if found.brought < len(ask.indexes):
                rest = ask.indexes[found.brought :]
                self._again.append(Ask(ask.prompt, rest, self._plan.seed_of(name, ask.prompt, rest[0])))
            await self._learn(ask.prompt.id, [(event.prompt, event.response) for event in found.events])

    def _next(self) -> Ask | None:
        while True:
            ask = self._again.popleft() if self._again else next(self._asks, None)
            if ask is None or ask.prompt.id not in self._settled:
                return ask
            self.tally.saved += len(ask.indexes)

    def _keep(self, ask: Ask, events: Sequence[ResponseEvent], unanswered: Sequence[tuple[int, Unanswered]]) -> None:
        self._keeper.add(ask.prompt.id, events, unanswered)
        self.tally.answered += len(events)
        self.tally.unanswered += len(unanswered)

    def _count_failure(self, trouble: Trouble) -> None:
        self.tally.troubles[trouble] = self.tally.troubles.get(trouble, 0) + 1
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            raise EndpointError(
                f"the endpoint {self._plan.endpoint} gave no answer to {self._failures} requests in a row, each tried several times "
                f"(last: {trouble}); what was answered is kept: run the same command again to go on"
            )

    async def _learn(self, prompt: str, texts: list[tuple[str, str]]) -> None:
        """Counts new answers by behaviour, and lets the rule look whenever another `LOOK` of them are there."""
        if self._adaptive is None or not texts:
            return
        counts = self._counts.setdefault(prompt, [0] * self._adaptive.categories)
        before = sum(counts)
        for category in await asyncio.to_thread(self._adaptive.label, texts):
            counts[category] += 1
        if sum(counts) // LOOK > before // LOOK and self._adaptive.rule.holds(counts):
            self._settled.add(prompt)
            self._keeper.close(prompt)
