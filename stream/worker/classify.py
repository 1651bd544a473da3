"""The first stage: responses in, scored records and dead letters out. The model runs in threads of its own."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass

from stream.codec.evaluation import encode_evaluations
from stream.core.records import DeadLetter, Reject, RejectReason, Scored, SourceRecord
from stream.pipeline import Batch, Classify, dead_letter
from stream.worker.driver import WorkerApp
from stream.worker.sending import Outgoing, send_all
from stream.worker.stage import IN_FLIGHT, Intake, Stage, Surroundings

log = logging.getLogger(__name__)

KILLS = Reject(RejectReason.KILLS_WORKER, "a worker died twice with nothing but this record in hand")


@dataclass(frozen=True, slots=True)
class Classified:
    """What a micro-batch gave: what was usable, what was not, and the records that say so."""

    scored: tuple[Scored, ...]
    dead: tuple[DeadLetter, ...]
    outgoing: tuple[Outgoing, ...]


class ClassifyStage(Stage[Classified]):
    """Reads and tokenises one micro-batch while the model judges the one before; keeps no state."""

    name = "classify"

    def __init__(
        self,
        app: WorkerApp,
        intake: Intake,
        around: Surroundings,
        *,
        pipeline: Classify,
        evaluation_topic: str | None = None,
    ) -> None:
        super().__init__(app, intake, around)
        self._pipeline = pipeline
        self._evaluation_topic = evaluation_topic
        # One a micro-batch in flight, so that the model goes from one to the next without a pause.
        self._threads = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="classifier")

    async def work(self, records: Sequence[SourceRecord]) -> Classified:
        """Decodes, classifies and encodes, piece by piece where a record may have killed a worker before."""
        scored: list[Scored] = []
        dead: list[DeadLetter] = []
        async with aclosing(self.intake.caution.pieces(records)) as pieces:
            async for piece in pieces:
                batch = self._set_aside(piece.records) if piece.killed else self._pipeline.read(piece.records)
                used = {(record.source, record.offset) for record, _ in batch.events} if batch.dead else frozenset()
                await self.intake.caution.count(piece.records, batch.dead, used=used)
                judged = await asyncio.get_running_loop().run_in_executor(self._threads, self._pipeline.judge, batch)
                scored += self._pipeline.write(batch, judged)
                dead += batch.dead
        topic = self.around.topics.scored
        encoded = tuple(Outgoing(topic, each.key, each.value) for each in self._pipeline.encode(scored))
        return Classified(
            tuple(scored), tuple(dead), encoded + self._evaluations(scored) + self.around.letters.outgoing(dead)
        )

    def _set_aside(self, records: Sequence[SourceRecord]) -> Batch:
        """Dead letters of records that must not be touched again."""
        for record in records:
            log.error(
                "a worker died twice with nothing in hand but offset %d of partition %d of %s; it becomes a dead letter",
                record.offset,
                record.source.partition,
                record.source.topic,
            )
        return Batch((), tuple(dead_letter(record, KILLS, keep_value=self._pipeline.keep_values) for record in records))

    def _evaluations(self, scored: Sequence[Scored]) -> tuple[Outgoing, ...]:
        """The labels once more, for those who keep traces."""
        topic = self._evaluation_topic
        if topic is None:
            return ()
        taxonomy = self._pipeline.taxonomy
        return tuple(Outgoing(topic, each.monitor.encode(), encode_evaluations(each, taxonomy)) for each in scored)

    async def deliver(self, result: Classified) -> None:
        """Sends the scored records and the dead letters, and counts them."""
        await send_all(self.app, result.outgoing)
        names = self._pipeline.taxonomy.names
        counts = Counter(int(category) for scored in result.scored for category in scored.category)
        for category, n in counts.items():
            self.around.metrics.responses_scored.labels(category=names[category]).inc(n)
        self.around.letters.count(self.name, result.dead)

    def close(self) -> None:
        """Lets the classifier's threads go without waiting for a judgement that is under way."""
        super().close()
        self._threads.shutdown(wait=False, cancel_futures=True)
