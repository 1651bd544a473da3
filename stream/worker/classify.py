"""The first stage: responses in, scored records and dead letters out. The model runs in threads of its own."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stream.codec.evaluation import encode_evaluations
from stream.core.records import Scored, SourceRecord
from stream.pipeline import Batch, Classify
from stream.worker.driver import WorkerApp
from stream.worker.sending import Outgoing, send_all
from stream.worker.stage import IN_FLIGHT, Intake, Stage, Surroundings


@dataclass(frozen=True, slots=True)
class Classified:
    """What a micro-batch gave: what was usable, what was not, and the records that say so."""

    batch: Batch
    scored: tuple[Scored, ...]
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
        """Decodes, classifies and encodes."""
        batch = await self._read(records)
        judged = await asyncio.get_running_loop().run_in_executor(self._threads, self._pipeline.judge, batch)
        scored = self._pipeline.write(batch, judged)
        topic = self.around.topics.scored
        encoded = tuple(Outgoing(topic, each.key, each.value) for each in self._pipeline.encode(scored))
        return Classified(batch, scored, encoded + self._evaluations(scored) + self.around.letters.outgoing(batch.dead))

    async def _read(self, records: Sequence[SourceRecord]) -> Batch:
        """Decodes; stops the stage where too much is unusable."""
        caution = self.intake.caution
        await caution.begin(records)
        batch = self._pipeline.read(records)
        used = {(record.source, record.offset) for record, _ in batch.events} if batch.dead else frozenset()
        await caution.count(records, batch.dead, used=used)
        return batch

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
        self.around.letters.count(self.name, result.batch.dead)

    def close(self) -> None:
        """Lets the classifier's threads go without waiting for a judgement that is under way."""
        super().close()
        self._threads.shutdown(wait=False, cancel_futures=True)
