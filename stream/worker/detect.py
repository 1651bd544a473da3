"""The second stage: scored records in, drift events and alerts out; the state of each monitor is in the table."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from stream.core.control import Entry
from stream.core.events import AlertEvent
from stream.core.monitor import Monitor
from stream.core.records import DeadLetter, SourceRecord
from stream.core.settings import EngineSettings
from stream.errors import RecordError, StateError
from stream.pipeline import Detect, Detected, dead_letter, encode_alerts, encode_drift_events, unreadable
from stream.worker.changelog import Stored
from stream.worker.crowd import Crowd
from stream.worker.driver import WorkerApp
from stream.worker.sending import Outgoing, send_all
from stream.worker.silence import Silences
from stream.worker.stage import Intake, Stage, Surroundings
from stream.worker.table import StateTable

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""Between two looks for monitors that have fallen silent, or a quarter of the time that they may be silent."""

AT_ONCE = 1_000
"""States that are checked before anything else may run."""

LONG_SKIP = 1_000
"""Responses of a monitor in a row that had been counted before, after which the topic may have been made anew."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One monitor after a micro-batch: what it gave rise to, and its new state."""

    monitor: bytes
    detected: Detected
    stored: Stored


@dataclass(frozen=True, slots=True)
class Judged:
    """What a micro-batch gave: the monitors that it changed, and the records that could not be read."""

    changed: tuple[Changed, ...]
    dead: tuple[DeadLetter, ...]


class DetectStage(Stage[Judged]):
    """Restores each monitor of a micro-batch once, lets it observe all its responses, and writes its state once."""

    name = "detect"

    def __init__(
        self, app: WorkerApp, intake: Intake, around: Surroundings, *, pipeline: Detect, table: StateTable
    ) -> None:
        super().__init__(app, intake, around)
        self._pipeline = pipeline
        self._table = table
        self._skipping: dict[bytes, int] = {}
        self._crowd = Crowd(intake.max_monitors, lambda: table.places)
        table.on_recover(self._crowd.forget)
        self._silence = Silences(pipeline.settings)
        table.on_recover(self._check_states)
        if pipeline.settings.no_data:
            app.timer(interval=min(LOOK_SECONDS, pipeline.settings.no_data.after / 4e6))(self._look_for_silence)
        around.metrics.watch_monitors(lambda: len(table.states))

    @property
    def settings(self) -> EngineSettings:
        """The settings that every monitor is judged under."""
        return self._pipeline.settings

    @property
    def states(self) -> Mapping[bytes, bytes]:
        """Snapshots of the monitors that this worker owns, by name."""
        return self._table.states

    async def work(self, records: Sequence[SourceRecord]) -> Judged:
        """Decodes and observes. The states are held at once, so that the next micro-batch goes on from them."""
        await self.intake.caution.begin(records)
        scored, dead = self._read(records)
        await self.intake.caution.count(records, dead)
        read_to = {record.source.partition: record.offset for record in records}
        changed = []
        for (monitor, partition), seen in scored.items():
            detected = self._pipeline.observe(monitor.decode(), self._table.states.get(monitor), seen)
            stored = self._table.hold(monitor, detected.state, partition=partition, read_to=read_to[partition])
            self._note_skips(monitor, detected)
            if detected.counted:
                self._silence.hear(monitor, now=time.monotonic())
            changed.append(Changed(monitor, detected, stored))
        return Judged(tuple(changed), tuple(dead))

    async def deliver(self, result: Judged) -> None:
        """Sends drift events, alerts and dead letters, and when they are delivered writes the states to the changelog.

        In this order: a state that has counted responses whose alert was never sent would skip them when they are read again.
        """
        topics = self.around.topics
        drift = [event for each in result.changed for event in each.detected.drift]
        alerts = [event for each in result.changed for event in each.detected.alerts]
        outgoing = [Outgoing(topics.drift, each.key, each.value) for each in encode_drift_events(drift)]
        outgoing += [Outgoing(topics.alerts, each.key, each.value) for each in encode_alerts(alerts)]
        outgoing += self.around.letters.outgoing(result.dead)
        await send_all(self.app, outgoing)
        await self._table.write([(each.monitor, each.stored) for each in result.changed])
        self._count(result, len(drift), alerts)

    async def _check_states(self) -> None:
        """Refuses states that this program or these settings cannot go on from, before the first record is read.

        A monitor that is silent for long would otherwise be found out among others that had gone on under new settings.
        """
        try:
            for place, state in enumerate(list(self._table.states.values())):
                if place % AT_ONCE == AT_ONCE - 1:
                    await asyncio.sleep(0)
                Monitor.check(self._pipeline.settings, state)
        except StateError as error:
            self.around.failure.note(self.name, error)
            await asyncio.Event().wait()  # until the process ends: a recovery that completes would let reading begin

    async def _look_for_silence(self) -> None:
        """Writes a tick into the scored topic for each monitor that has been silent for too long; whoever reads it judges."""
        if not self.ready:
            return
        ticks = self._silence.look(self._table.states, now=time.monotonic())
        try:
            await send_all(self.app, [Outgoing(self.intake.topic, tick.key, tick.value) for tick in ticks])
        except KafkaError as error:
            self.around.failure.note(self.name, error)

    def _read(self, records: Sequence[SourceRecord]) -> tuple[dict[tuple[bytes, int], list[Entry]], list[DeadLetter]]:
        """What the log holds for each monitor and partition, in order; a record that cannot be read becomes a dead letter."""
        found: dict[tuple[bytes, int], list[Entry]] = {}
        dead = []
        for record in records:
            try:
                groups = self._pipeline.read([record])
            except RecordError as error:
                log.warning("a scored record becomes a dead letter: %s", error)
                dead.append(dead_letter(record, unreadable(error)))
                continue
            if not all(self._crowd.admits(monitor.encode(), record.source.partition) for monitor in groups):
                dead.append(dead_letter(record, self._crowd.refused))
                continue
            for monitor, entries in groups.items():
                found.setdefault((monitor.encode(), record.source.partition), []).extend(entries)
        return found, dead

    def _note_skips(self, monitor: bytes, detected: Detected) -> None:
        """Warns once when a monitor sees nothing but responses that it had counted: the guard works by source offset."""
        if detected.counted:
            self._skipping.pop(monitor, None)
            return
        before = self._skipping.get(monitor, 0)
        self._skipping[monitor] = before + detected.skipped
        if before <= LONG_SKIP < self._skipping[monitor]:
            log.warning(
                "monitor %r has skipped over %d responses in a row because their source offsets had been counted; if the "
                "input topic was made anew, give the worker a new [worker] app_id",
                monitor.decode(),
                LONG_SKIP,
            )

    def _count(self, result: Judged, drift: int, alerts: Sequence[AlertEvent]) -> None:
        metrics = self.around.metrics
        metrics.responses_observed.inc(sum(each.detected.counted for each in result.changed))
        metrics.responses_skipped.inc(sum(each.detected.skipped for each in result.changed))
        metrics.drift_events.inc(drift)
        for alert in alerts:
            metrics.alerts.labels(rule=alert.rule.value, severity=alert.severity.value, status=alert.status.value).inc()
            log.info("%s %s: %s of %r", alert.rule.value, alert.status.value, alert.reason.value, alert.monitor)
        self.around.letters.count(self.name, result.dead)
