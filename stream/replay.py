"""Runs history through the live pipeline and writes down what it shows; nobody is paged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from models.bundle import DEFAULT_BUNDLE, load_manifest
from models.classifier import Classifier
from stream.codec import control
from stream.codec import scored as scored_codec
from stream.codec.wire import schema_of
from stream.config import Settings
from stream.core.records import Micros, SourceRecord
from stream.core.taxonomy import Taxonomy
from stream.files import LogFiles
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import Demanded, MissingTime, RecordTime
from stream.kafka.read import read_topic
from stream.pipeline import Classify, taxonomy_of
from stream.readers import Period, read_response_topic, read_responses, read_rows, read_scored_topic
from stream.recorder import recording
from stream.report.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to replay: `files` (labelled rows if `scored`), or else `topic`.

    `period` is of the responses' time in files, of Kafka's timestamp in a topic. `every` spaces responses without a time
    (microseconds, files only), `form` forces their format, `field_map` says where a response's fields come from.
    """

    files: tuple[Path, ...] = ()
    topic: str | None = None
    scored: bool = False
    period: Period
    every: Micros | None = None
    form: str | None = None
    field_map: FieldMap | None = None


Load = Callable[[], Classifier]
"""Loads the classifier; called only where something is to be classified."""


class Meter(Protocol):
    """Shows how far a replay is."""

    def __call__(self, responses: int, *, done: int, total: int | None) -> None:
        """Takes the responses counted so far, and the bytes read of how many (0 of None where nobody knows)."""


def replay(plan: Plan, settings: Settings, folder: Path, *, load: Load, meter: Meter) -> Summary:
    """Writes `scored.jsonl`, `drift.jsonl`, `alerts.jsonl` and `deadletter.jsonl` into `folder`, and returns their summary.

    Raises:
        InputError: a file or topic cannot be read, or a response in a file has no time.
        BrokerError: Kafka cannot be reached.
        ModelError: the classifier is needed and cannot be loaded.
    """
    if plan.topic is None:
        return _replay_files(plan, settings, folder, load, meter)
    return _replay_topic(plan, settings, folder, load, meter)


def _replay_files(plan: Plan, settings: Settings, folder: Path, load: Load, meter: Meter) -> Summary:
    files = LogFiles(plan.files, field_map=plan.field_map)
    classify = None if plan.scored else _classify(load(), settings, Demanded(), plan.form)
    taxonomy = classify.taxonomy if classify else _taxonomy(settings)
    with recording(folder, settings.engine(taxonomy)) as recorder:

        def watch() -> None:
            meter(recorder.responses, done=files.position, total=files.size)

        if classify:
            read_responses(files, recorder, classify=classify, period=plan.period, every=plan.every, watch=watch)
        else:
            keep = settings.worker.dead_letter_values
            read_rows(files, recorder, period=plan.period, every=plan.every, keep_values=keep, watch=watch)
        return recorder.summary([str(path) for path in plan.files])


def _replay_topic(plan: Plan, settings: Settings, folder: Path, load: Load, meter: Meter) -> Summary:
    topic = plan.topic or ""
    is_scored, records = _peek(read_topic(settings.kafka, topic, since=plan.period.since, until=plan.period.until))
    classify = None if plan.scored or is_scored else _classify(load(), settings, RecordTime(), plan.form)
    taxonomy = classify.taxonomy if classify else _taxonomy(settings)
    with recording(folder, settings.engine(taxonomy)) as recorder:

        def watch() -> None:
            meter(recorder.responses, done=0, total=None)

        if classify:
            read_response_topic(records, recorder, classify=classify, watch=watch)
        else:
            read_scored_topic(records, recorder, watch=watch)
        return recorder.summary([topic])


def _peek(records: Iterator[SourceRecord]) -> tuple[bool, Iterable[SourceRecord]]:
    """Whether the first record is of a scored log (or there is none, so that no model is needed), and all records."""
    first = next(records, None)
    if first is None:
        return True, ()
    return schema_of(first.value or b"") in (scored_codec.SCHEMA, *control.SCHEMAS), chain([first], records)


def _classify(classifier: Classifier, settings: Settings, missing_time: MissingTime, form: str | None) -> Classify:
    return Classify(
        classifier=classifier,
        taxonomy=taxonomy_of(classifier),
        missing_time=missing_time,
        monitor_by=settings.monitor.monitor_by,
        attributes=settings.monitor.attributes,
        form=form,
        keep_values=settings.worker.dead_letter_values,
    )


def _taxonomy(settings: Settings) -> Taxonomy:
    """The behaviours of the bundle that is set, from its manifest alone."""
    return taxonomy_of(load_manifest(settings.classifier.bundle or DEFAULT_BUNDLE))
