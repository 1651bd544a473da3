"""One micro-batch, from bytes to alerts: decode, classify, observe, encode. No Kafka, no files, no clock: values in, values out.

    records ── Classify.read ──► Batch ── Classify.judge ──► Classification ── Classify.write ──► scored records
                    └─► dead letters                                                                  │
    drift and alert events ◄── Detect.observe ◄── state of the monitor, before and after ◄── Detect.read

Live, replay and backtest run these same two stages. Where batches are cut changes no label, no drift event and no alert.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from models.classifier import Classification, Classifier, Pair
from stream.codec.alert import encode_alert
from stream.codec.drift import encode_drift
from stream.codec.entry import decode_entry
from stream.codec.scored import encode_scored
from stream.core.control import Entry
from stream.core.events import AlertEvent, DriftEvent
from stream.core.monitor import Monitor
from stream.core.records import DeadLetter, Reject, RejectReason, ResponseEvent, Scored, Source, SourceRecord
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER, Behaviour, RequestKind, Taxonomy
from stream.errors import RecordError, SettingsError, UnknownSchemaError
from stream.formats import recognise
from stream.formats.missing_time import MissingTime
from stream.naming import check_monitor, monitor_name, value_of
from stream.times import known

MAX_RESPONSES = 1_000
"""Responses in one scored record, so that it stays far below Kafka's limits whatever the batch size."""

MAX_ATTRIBUTE = 64
"""Characters of an attribute's value that go into scored records."""

MAX_KEPT_BYTES = 4 * 1024 * 1024
"""A larger original is left out of its dead letter, which would itself be too large to send; its position remains."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """One record to send: its Kafka key (a monitor, or a dead letter's original key) and its bytes."""

    key: bytes | None
    value: bytes


class Labels(Protocol):
    """What a classifier and a bundle's manifest both say of themselves: their name, and what they sort into."""

    @property
    def name(self) -> str:
        """The name."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in category order."""

    @property
    def request_kinds(self) -> tuple[str | None, ...]:
        """The kind of request that each label implies: "benign", "harmful" or None."""


def taxonomy_of(classifier: Labels) -> Taxonomy:
    """Returns the behaviours that the classifier's (or a manifest's) labels name, in its order.

    Raises:
        SettingsError: the labels are no taxonomy.
    """
    wanted = {behaviour.name: behaviour.wanted for behaviour in PAPER.behaviours}
    try:
        return Taxonomy(
            tuple(
                Behaviour(label, None if kind is None else RequestKind(kind), wanted.get(label, True))
                for label, kind in zip(classifier.labels, classifier.request_kinds, strict=True)
            )
        )
    except ValueError as error:
        raise SettingsError(f"the labels of {classifier.name} cannot be used: {error}; choose another bundle") from None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a micro-batch of records holds: the responses, each with the record that it stood in, and the unusable records."""

    events: tuple[tuple[SourceRecord, ResponseEvent], ...]
    dead: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classify:
    """The first stage: records of any known format in, scored records and dead letters out. It keeps no state.

    `monitor_by` says what tells monitors apart, `attributes` which ones go into scored records; `form` skips the recognition of
    the format; without `keep_values` dead letters carry no original text. Those of records that are merely skipped, where there is nothing
    to repair, never do.

    Raises:
        SettingsError: the classifier's labels are not the taxonomy that the engine was set up for.
    """

    classifier: Classifier
    taxonomy: Taxonomy
    missing_time: MissingTime
    monitor_by: tuple[str, ...] = ("model",)
    attributes: tuple[str, ...] = ()
    form: str | None = None
    keep_values: bool = True

    def __post_init__(self) -> None:
        if self.classifier.labels != self.taxonomy.names:
            raise SettingsError(
                f"{self.classifier.name} sorts into {', '.join(self.classifier.labels)}, but this pipeline was set up for "
                f"{', '.join(self.taxonomy.names)}; use the bundle that the topics were written with, or new topics"
            )

    def read(self, records: Iterable[SourceRecord]) -> Batch:
        """Decodes the records, in their order."""
        events: list[tuple[SourceRecord, ResponseEvent]] = []
        dead: list[DeadLetter] = []
        for record in records:
            for found in recognise.decode(record, missing_time=self.missing_time, form=self.form):
                if isinstance(found, Reject):
                    keep = self.keep_values and not found.reason.skipped
                    dead.append(dead_letter(record, found, keep_value=keep))
                else:
                    events.append((record, found))
        return Batch(tuple(events), tuple(dead))

    def judge(self, batch: Batch) -> Classification:
        """Runs the model: the slow part, which touches nothing else and so may run in a thread."""
        return self.classifier.classify(
            [Pair(event.prompt, event.response, event.earlier or "") for _, event in batch.events]
        )

    def write(self, batch: Batch, judged: Classification) -> tuple[Scored, ...]:
        """Returns the judgement as one record for each monitor and source, in order of first appearance, without any text."""
        places: dict[tuple[str, Source], list[int]] = {}
        for place, (record, event) in enumerate(batch.events):
            places.setdefault((monitor_name(event, self.monitor_by), record.source), []).append(place)
        return tuple(
            self._scored(monitor, batch, judged, part)
            for (monitor, _), chosen in places.items()
            for part in _parts(chosen, [batch.events[place][0].offset for place in chosen])
        )

    def _scored(self, monitor: str, batch: Batch, judged: Classification, places: list[int]) -> Scored:
        records, events = zip(*(batch.events[place] for place in places), strict=True)
        return Scored(
            monitor=monitor,
            classifier=self.classifier.name,
            source=records[0].source,
            offset=np.array([record.offset for record in records], np.int64),
            event_id=tuple(event.event_id for event in events),
            ts=np.array([event.ts for event in events], np.int64),
            category=judged.category[places],
            probs=judged.probs[places],
            confidence=judged.confidence[places],
            energy=judged.energy[places],
            truncated=judged.truncated[places],
            finish_reason=tuple(event.finish_reason for event in events),
            attributes={name: tuple(_shortened(event, name) for event in events) for name in self.attributes},
        )

    def encode(self, scored: Iterable[Scored]) -> tuple[Keyed, ...]:
        """Returns scored records as they go to Kafka, keyed by monitor."""
        return tuple(Keyed(each.monitor.encode(), encode_scored(each, self.taxonomy)) for each in scored)


def _parts(places: list[int], offsets: list[int]) -> Iterator[list[int]]:
    """Pieces of bounded size; responses of one record stay together, because their offset is counted as a whole."""
    start = 0
    while start < len(places):
        end = start + MAX_RESPONSES
        while end < len(places) and offsets[end] == offsets[end - 1]:
            end += 1
        yield places[start:end]
        start = end


def _shortened(event: ResponseEvent, name: str) -> str | None:
    value = value_of(event, name)
    return None if value is None else value[:MAX_ATTRIBUTE]


def dead_letter(record: SourceRecord, reject: Reject, *, keep_value: bool = True) -> DeadLetter:
    """Returns the letter for a record that cannot be used, with the original bytes unless `keep_value` is off."""
    value, detail = record.value if keep_value else None, reject.detail
    if value is not None and len(value) > MAX_KEPT_BYTES:
        value, detail = None, f"{detail}; the value is left out of this letter"
    return DeadLetter(
        source=record.source,
        offset=record.offset,
        key=record.key,
        value=value,
        headers=record.headers,
        reason=reject.reason,
        detail=detail,
        ts=known(record.timestamp),
    )


def unreadable(error: RecordError) -> Reject:
    """Returns why a record of the scored log that `Detect.read` refused becomes a dead letter."""
    unknown = isinstance(error.__cause__, UnknownSchemaError)
    return Reject(RejectReason.UNKNOWN_SCHEMA if unknown else RejectReason.UNKNOWN_FORMAT, str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What records of one monitor gave rise to, and the monitor's state after them."""

    state: bytes
    drift: tuple[DriftEvent, ...]
    alerts: tuple[AlertEvent, ...]
    counted: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect:
    """The second stage: records of the scored log and a monitor's state in, drift events, alerts and the new state out.

    With `replay` every alert says that it is history.
    """

    settings: EngineSettings
    replay: bool = False

    def read(self, records: Iterable[SourceRecord]) -> Mapping[str, Sequence[Entry]]:
        """Returns what the records of the scored log hold for each monitor, in order.

        Raises:
            RecordError: a record cannot be read; the message says where it lies.
        """
        found: dict[str, list[Entry]] = {}
        for record in records:
            try:
                entry = decode_entry(record, self.settings.taxonomy)
                check_monitor(entry.monitor)
            except RecordError as error:
                where = f"{record.source.topic}, partition {record.source.partition}, offset {record.offset}"
                raise RecordError(f"{where}: {error}") from error
            found.setdefault(entry.monitor, []).append(entry)
        return found

    def observe(self, monitor: str, state: bytes | None, entries: Iterable[Entry]) -> Detected:
        """Judges the next records of a monitor whose state is `state` (None: it is new).

        Raises:
            StateError: the state was written by another version or under other settings.
        """
        engine = Monitor(monitor, self.settings) if state is None else Monitor.restore(monitor, self.settings, state)
        seen = [engine.observe(each) for each in entries]
        return Detected(
            state=engine.snapshot(),
            drift=tuple(event for one in seen for event in one.drift),
            alerts=self.mark(event for one in seen for event in one.alerts),
            counted=sum(one.counted for one in seen),
            skipped=sum(one.skipped for one in seen),
        )

    def mark(self, alerts: Iterable[AlertEvent]) -> tuple[AlertEvent, ...]:
        """Returns the alerts, in a replay each with the flag that keeps it from paging anyone."""
        return tuple(replace(alert, replay=True) if self.replay else alert for alert in alerts)


def encode_drift_events(events: Iterable[DriftEvent]) -> tuple[Keyed, ...]:
    """Returns drift events as they go to Kafka, keyed by monitor."""
    return tuple(Keyed(event.monitor.encode(), encode_drift(event)) for event in events)


def encode_alerts(events: Iterable[AlertEvent]) -> tuple[Keyed, ...]:
    """Returns alerts as they go to Kafka, keyed by monitor."""
    return tuple(Keyed(event.monitor.encode(), encode_alert(event)) for event in events)
