"""What both stages share: take a micro-batch, work on it, deliver what it gave, then acknowledge, in this order."""

import abc
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from faust.streams import Stream
from faust.types import EventT, StreamT

from stream.config import Topics
from stream.core.records import Source, SourceRecord
from stream.metrics import Metrics
from stream.worker.app import source
from stream.worker.belt import Belt
from stream.worker.caution import Caution
from stream.worker.driver import WorkerApp
from stream.worker.failure import Failure
from stream.worker.letters import DeadLetters
from stream.worker.progress import Progress

IN_FLIGHT = 2
"""Micro-batches at a time: one is delivered while the next is worked on."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Which topic a stage reads, how large a micro-batch grows, in records and seconds, and what is done about unusable records.

    A partition may hold `max_monitors`.
    """

    topic: str
    size: int
    seconds: float
    caution: Caution = field(default_factory=Caution)
    max_monitors: int = 25_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every stage of a process writes to: topics, dead letters, metrics, and the place for what goes wrong."""

    topics: Topics
    letters: DeadLetters
    metrics: Metrics
    failure: Failure


class Stage(abc.ABC, Generic[Result]):
    """One Faust agent of one app.

    A record is acknowledged when everything that its micro-batch gave rise to is on all replicas, and never before an earlier
    one. The first failure ends all acknowledging: the process must end, and the next one reads again what is left.
    """

    name: str

    def __init__(self, app: WorkerApp, intake: Intake, around: Surroundings) -> None:
        self.app = app
        self.intake = intake
        self.around = around
        self._belt = Belt(depth=IN_FLIGHT, failed=functools.partial(around.failure.note, self.name))
        app.on_partitions_revoked.connect(self._on_revoked)
        self.progress = Progress(lambda: app.lag(intake.topic), lambda: app.committed_at)
        around.metrics.watch_stage(self.name, lag=self.progress.lag, committed=self.progress.last_commit)
        app.agent(source(app, intake.topic), name=self.name, concurrency=1)(self._agent)

    @abc.abstractmethod
    async def work(self, records: Sequence[SourceRecord]) -> Result:
        """Turns a micro-batch into what it gives rise to; called in the order of the source."""

    @abc.abstractmethod
    async def deliver(self, result: Result) -> None:
        """Returns when everything is on all replicas; called in the order of the source, one at a time."""

    @property
    def ready(self) -> bool:
        """Whether partitions are assigned and the state is recovered."""
        return bool(self.app.tables.actives_ready)

    @property
    def busy(self) -> bool:
        """Whether a micro-batch is in flight."""
        return self._belt.busy

    def close(self) -> None:
        """Lets go of what the stage holds beside its app."""
        self.intake.caution.close()

    async def _on_revoked(self, *_: object, **__: object) -> None:
        self.intake.caution.forget()

    async def _agent(self, stream: StreamT[Any]) -> None:
        # When this agent fails, noack_take would switch acknowledging on again and its reader acknowledge whatever follows.
        stream.enable_acks = False
        taken = cast("Stream[EventT[bytes | None]]", stream).noack_take(self.intake.size, self.intake.seconds)
        async for events in taken:
            self.around.metrics.records.labels(stage=self.name).inc(len(events))
            work = self.work([_record(event) for event in events])
            await self._belt.put(work, functools.partial(self._finish, events, time.perf_counter()))

    async def _finish(self, events: Sequence[EventT[bytes | None]], started: float, result: Result) -> None:
        await self.deliver(result)
        for event in events:
            event.ack()
        self.around.metrics.batch_seconds.labels(stage=self.name).observe(time.perf_counter() - started)


def _record(event: EventT[bytes | None]) -> SourceRecord:
    message = event.message
    headers = message.headers
    return SourceRecord(
        source=Source(message.topic, message.partition),
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(headers.items() if isinstance(headers, Mapping) else headers or ()),
        timestamp=round(message.timestamp * 1000) * 1000,
    )
