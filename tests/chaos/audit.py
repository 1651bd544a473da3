"""What the topics must hold after chaos, computed from the input and the scored log without any worker, and what they hold."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stream.config import KafkaSettings, Settings
from stream.core.monitor import Monitor
from stream.core.records import SourceRecord
from stream.core.taxonomy import PAPER
from stream.errors import InputError
from stream.kafka.client import open_admin, open_consumer
from stream.kafka.read import partitions_of
from stream.pipeline import Detect, Detected, encode_alerts, encode_drift_events
from stream.worker.app import group_name
from stream.worker.changelog import decode
from stream.worker.table import changelog_name
from tests.integration.workers import read, read_json

Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an audit found; everything but the sizes must be 0."""

    responses: int
    scored: int
    drift: int
    alerts: int
    lost: int
    set_aside: int
    doubled: int
    mislabelled: int
    two_contents: int
    committed_too_far: int
    states_differ: int
    events_differ: int

    @property
    def faults(self) -> Mapping[str, int]:
        """The numbers that must be 0, by name."""
        names = (
            "lost",
            "set_aside",
            "doubled",
            "mislabelled",
            "two_contents",
            "committed_too_far",
            "states_differ",
            "events_differ",
        )
        return {name: getattr(self, name) for name in names}

    @property
    def clean(self) -> bool:
        return not any(self.faults.values())


def committed(kafka: KafkaSettings, group: str, topic: str) -> dict[int, int]:
    """The next offset of a group for each partition, as far as it has committed any."""
    with open_admin(kafka) as admin:
        found = admin.list_group_offsets({group: None})[group]
    return {tp.partition: each.offset for tp, each in found.items() if tp.topic == topic and each.offset >= 0}


def ends(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """The next offset to be written, for each partition."""
    with open_consumer(kafka) as consumer:
        return {tp.partition: end for tp, end in consumer.end_offsets(partitions_of(consumer, topic)).items()}


def behind(kafka: KafkaSettings, settings: Settings) -> int:
    """Records that are not committed yet, of both stages."""
    topics = kafka.topics
    lag = 0
    for stage, topic in (("classify", topics.input), ("detect", topics.scored)):
        done = committed(kafka, group_name(settings, stage), topic)
        lag += sum(end - done.get(partition, 0) for partition, end in ends(kafka, topic).items())
    return lag


def overrun(kafka: KafkaSettings, settings: Settings) -> int:
    """How many records are committed though what they give rise to is not there; may be asked at any moment.

    The commits are read first: what they vouch for must stand in the topics that are read afterwards.
    """
    topics = kafka.topics
    classified = committed(kafka, group_name(settings, "classify"), topics.input)
    detected = committed(kafka, group_name(settings, "detect"), topics.scored)
    scored = read(kafka, topics.scored)
    finished = set(places(scored)) | dead_places(kafka)
    missing = sum((partition, offset) not in finished for partition, end in classified.items() for offset in range(end))
    vouched = [each for each in scored if each.offset < detected.get(each.source.partition, 0)]
    states = stored(kafka, settings)
    expected = replay(settings, vouched)
    behind_state = sum(
        seen.counted > count_of(states[monitor], settings) if monitor in states else True
        for monitor, seen in expected.items()
    )
    drift, alerts = events(expected.values())
    there = {record.value for topic in (topics.drift, topics.alerts) for record in read(kafka, topic)}
    return missing + behind_state + len((drift | alerts) - there)


def audit(kafka: KafkaSettings, settings: Settings) -> Findings:
    """Everything, when nothing moves any more."""
    topics = kafka.topics
    truth = {
        (record.source.partition, record.offset): label_of(record)
        for record in read(kafka, topics.input)
        if record.value
    }
    scored = read(kafka, topics.scored)
    told = list(labels_told(scored))
    expected = replay(settings, scored)
    drift, alerts = events(expected.values())
    found = {topic: [record.value for record in read(kafka, topic)] for topic in (topics.drift, topics.alerts)}
    states = stored(kafka, settings)
    counted = {monitor: count_of(state, settings) for monitor, state in states.items()}
    dead = dead_places(kafka)
    owed = Counter(monitor for place, (monitor, _) in truth.items() if place not in dead)
    return Findings(
        responses=len(truth),
        scored=len({place for place, _ in told}),
        drift=len(drift),
        alerts=len(alerts),
        set_aside=len(dead),
        lost=len(truth.keys() - {place for place, _ in told} - dead)
        + sum(max(0, n - counted.get(monitor, 0)) for monitor, n in owed.items()),
        doubled=sum(max(0, n - owed[monitor]) for monitor, n in counted.items()),
        mislabelled=sum(truth[place][1] != label for place, label in told),
        two_contents=contradictions(found[topics.drift], "drift_id") + contradictions(found[topics.alerts], "alert_id"),
        committed_too_far=overrun(kafka, settings),
        states_differ=sum(states.get(monitor) != seen.state for monitor, seen in expected.items())
        + len(states.keys() - expected.keys()),
        events_differ=len(drift ^ set(found[topics.drift])) + len(alerts ^ set(found[topics.alerts])),
    )


def label_of(record: SourceRecord) -> tuple[str, str]:
    """The monitor and the true label of a response that was sent."""
    event = json.loads(record.value or b"{}")
    return event["model"], event["response"].split()[0]


def labels_told(scored: Iterable[SourceRecord]) -> Iterable[tuple[Place, str]]:
    for record in scored:
        told = json.loads(record.value or b"{}")
        for offset, category in zip(told["offset"], told["category"], strict=True):
            yield (told["source"]["partition"], offset), category


def places(scored: Iterable[SourceRecord]) -> Iterable[Place]:
    """Where each scored response stood in the input."""
    return (place for place, _ in labels_told(scored))


def dead_places(kafka: KafkaSettings) -> set[Place]:
    """Where the input's dead letters stood."""
    return {
        (letter["source"]["partition"], letter["offset"])
        for letter in read_json(kafka, kafka.topics.deadletter)
        if letter["source"]["topic"] == kafka.topics.input
    }


def replay(settings: Settings, scored: Iterable[SourceRecord]) -> dict[str, Detected]:
    """Each monitor of the log, read once in order by one engine in memory."""
    pipeline = Detect(settings=settings.engine(PAPER))
    return {monitor: pipeline.observe(monitor, None, found) for monitor, found in pipeline.read(scored).items()}


def events(detected: Iterable[Detected]) -> tuple[set[bytes | None], set[bytes | None]]:
    """Drift events and alerts as they should stand in their topics."""
    drift: set[bytes | None] = set()
    alerts: set[bytes | None] = set()
    for seen in detected:
        drift |= {record.value for record in encode_drift_events(seen.drift)}
        alerts |= {record.value for record in encode_alerts(seen.alerts)}
    return drift, alerts


def stored(kafka: KafkaSettings, settings: Settings) -> dict[str, bytes]:
    """The state of each monitor that a worker would recover now."""
    try:
        records = read(kafka, changelog_name(group_name(settings, "detect")))
    except InputError:
        return {}  # no worker has made it yet
    furthest: dict[bytes, tuple[int, bytes]] = {}
    for record in records:
        entry = decode(record.key or b"", record.value)
        if entry.state is not None and entry.position >= furthest.get(entry.monitor, (-1, b""))[0]:
            furthest[entry.monitor] = (entry.position, entry.state)
    return {monitor.decode(): state for monitor, (_, state) in furthest.items()}


def count_of(state: bytes, settings: Settings) -> int:
    """Responses that a state has counted."""
    return Monitor.restore("", settings.engine(PAPER), state).seen


def contradictions(values: Iterable[bytes | None], name: str) -> int:
    """Ids that stand for more than one content."""
    contents: dict[str, set[bytes]] = {}
    for value in values:
        contents.setdefault(json.loads(value or b"{}")[name], set()).add(value or b"")
    return sum(len(found) > 1 for found in contents.values())
