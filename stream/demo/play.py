"""The whole story on one machine: a real Kafka, the real worker, real responses, and a change of model that must be found."""

import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from stream.codec.alert import decode_alert
from stream.codec.dead_letter import decode_dead_letter
from stream.codec.drift import decode_drift
from stream.codec.rows import encode_scored_rows
from stream.codec.scored import decode_scored
from stream.config import KafkaSettings, MonitorSettings, ReferenceSettings, Settings, Topics, WorkerSettings
from stream.core.events import AlertEvent, Rule, Status
from stream.core.records import Source, SourceRecord
from stream.core.settings import EngineSettings
from stream.core.taxonomy import Taxonomy
from stream.demo.screen import Screen
from stream.demo.story import CHANGED, Story, tell
from stream.demo.watch import Watcher
from stream.demo.worker import WorkerProcess
from stream.errors import WorkerError
from stream.files import NO_TIME
from stream.kafka.broker import LocalBroker
from stream.kafka.client import open_admin, open_consumer
from stream.kafka.distribution import VERSION
from stream.kafka.produce import Pace, Tally, produce
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from stream.output import ALERTS, DEAD_LETTERS, DRIFT, SCORED, output_folder
from stream.report.results import complete
from stream.report.summary import Summary
from stream.report.summary import Tally as RunTally
from stream.rule_settings import Rules
from stream.wording import sentence

WINDOW, STRIDE, LEARN_FROM = 200, 20, 500
PARTITIONS = 4
STALLED = 60.0
"""Seconds without any progress after which the demo gives up."""

NOTES = (
    "The responses are real (XSTest, five models, CC BY 4.0), but drawn at random with repetition.",
    "Their behaviours are labelled by the classifier that ships with ValueDrift, which makes mistakes.",
    "Their times are synthetic: ten seconds apart.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo is to do.

    `settings` say which Kafka (if it is not `local`) and which classifier, `taxonomy` is the classifier's; the rest is the demo's own.
    """

    out: Path
    events: int
    seed: int
    local: bool
    settings: Settings
    taxonomy: Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: the first alert about the changed monitor after the swap (None: there was none), and every alert."""

    found: AlertEvent | None
    alerts: tuple[AlertEvent, ...]
    story: Story
    summary: Summary


def run_demo(demo: Demo, screen: Screen) -> Outcome:
    """Tells the story from beginning to end, and leaves its files in `out`; everything that it starts is gone afterwards.

    Raises:
        BrokerError, TopicError: Kafka cannot be started or used.
        WorkerError: the worker ended or makes no progress.
    """
    story = tell(demo.events, seed=demo.seed)
    with output_folder(demo.out) as folder, ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valuedrift-demo-")))
        kafka = stack.enter_context(_kafka(demo, screen))
        settings = _settings(demo.settings, kafka, app_id=kafka.topics.input.removesuffix(".input"))
        with screen.step("Creating the topics"):
            create_missing(kafka)
        with screen.step("Starting the worker: it loads the classifier and joins its consumer groups"):
            worker = stack.enter_context(WorkerProcess(settings, scratch))
            worker.await_ready()
        with screen.step(f"Sending {demo.events:,} responses to the topic {kafka.topics.input}"):
            produce(settings, _records(story), topic=kafka.topics.input, pace=Pace(), tally=Tally())
        engine = settings.engine(demo.taxonomy)
        _watch(worker, story, kafka, engine, screen)
        with screen.step("Stopping the worker"):
            worker.stop()
        with screen.step("Collecting the topics, drawing the report"):
            summary, alerts = _collect(kafka, engine, folder)
            complete(folder, summary)
    found = (alert for alert in alerts if alert.status is Status.FIRING and alert.rule is Rule.DRIFT)
    return Outcome(
        found=next((alert for alert in found if alert.monitor == CHANGED and alert.seq >= story.swap_seq), None),
        alerts=alerts,
        story=story,
        summary=summary,
    )


@contextmanager
def _kafka(demo: Demo, screen: Screen) -> Iterator[KafkaSettings]:
    """A Kafka with topic names that nobody else has: one of its own, or the given one, which is left as it was found."""
    name = f"valuedrift-demo-{uuid.uuid4().hex[:8]}"
    topics = Topics(**{role: f"{name}.{role}" for role in Topics.model_fields})
    if demo.local:
        with ExitStack() as stack:
            with screen.step(f"Starting Apache Kafka {VERSION} on this machine"):
                broker = stack.enter_context(LocalBroker())
            yield KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topics=topics, partitions=PARTITIONS)
        return
    given = demo.settings.kafka.model_copy(update={"topics": topics, "partitions": PARTITIONS})
    try:
        yield given
    finally:
        with screen.step(f"Removing the demo's topics from {given.bootstrap_servers}"):
            _remove(given, name)


def _remove(kafka: KafkaSettings, name: str) -> None:
    """Deletes every topic and consumer group whose name begins with the demo's."""
    with open_admin(kafka) as admin:
        topics = [topic for topic in admin.list_topics() if topic.startswith(name)]
        if topics:
            admin.delete_topics(topics)
        groups = [group["group_id"] for group in admin.list_groups() if group["group_id"].startswith(name)]
        if groups:
            admin.delete_groups(groups)


def _settings(base: Settings, kafka: KafkaSettings, *, app_id: str) -> Settings:
    own = {
        "kafka": kafka,
        "worker": WorkerSettings(app_id=app_id),
        "monitor": MonitorSettings(window=WINDOW, stride=STRIDE, attributes=("served_by",)),
        "reference": ReferenceSettings(learn_from=LEARN_FROM),
        "rules": Rules(),
    }
    return base.model_copy(update=own)


def _records(story: Story) -> Iterator[SourceRecord]:
    source = Source("demo", 0)
    for number, line in enumerate(story.lines):
        yield SourceRecord(source=source, offset=number, key=None, value=line, headers=(), timestamp=NO_TIME)


def _watch(worker: WorkerProcess, story: Story, kafka: KafkaSettings, engine: EngineSettings, screen: Screen) -> None:
    """Shows the monitors until all responses are processed."""
    screen.say("The worker classifies, keeps S(t) of each monitor, and compares it with what it has learned:")

    def tell_alert(alert: AlertEvent) -> None:
        screen.say(Text.assemble(("▲ alert: ", "bold red"), (alert.monitor, "bold"), f": {sentence(alert)}"))

    with open_consumer(kafka) as consumer, screen.board(len(story.lines), engine.taxonomy.names) as board:
        watcher = Watcher(consumer, kafka, engine.taxonomy)
        before, since = -1, time.monotonic()
        while not watcher.seen.complete(story.responses, engine.stride):
            worker.check()
            watcher.poll(tell_alert)
            board.show(watcher.seen.done, watcher.seen.drift)
            if watcher.seen.done != before:
                before, since = watcher.seen.done, time.monotonic()
            if time.monotonic() - since > STALLED:
                raise WorkerError(
                    f"nothing has come out of the worker for {STALLED:.0f} s, after {before:,} of {len(story.lines):,} "
                    "responses; run the demo again, and if that does not help, look at the steps one by one with `valuedrift broker`, "
                    "`topics create`, `worker` and `produce`"
                )


def _collect(kafka: KafkaSettings, engine: EngineSettings, folder: Path) -> tuple[Summary, tuple[AlertEvent, ...]]:
    """Writes what lies in the output topics into files, one record a line, in the order of arrival."""
    tally, topics = RunTally(engine), kafka.topics
    with (folder / SCORED).open("wb") as file:
        for value in _values(kafka, topics.scored):
            scored = decode_scored(value, engine.taxonomy)
            tally.scored(scored)
            file.write(encode_scored_rows(scored, engine.taxonomy))
    with (folder / DRIFT).open("wb") as file:
        for value in _values(kafka, topics.drift):
            tally.drift(decode_drift(value))
            file.write(value + b"\n")
    alerts = []
    with (folder / ALERTS).open("wb") as file:
        for value in _values(kafka, topics.alerts):
            alerts.append(decode_alert(value))
            tally.alert(alerts[-1])
            file.write(value + b"\n")
    with (folder / DEAD_LETTERS).open("wb") as file:
        for value in _values(kafka, topics.deadletter):
            tally.dead([decode_dead_letter(value).reason])
            file.write(value + b"\n")
    return tally.summary(sources=[topics.input], notes=NOTES), tuple(alerts)


def _values(kafka: KafkaSettings, topic: str) -> Iterator[bytes]:
    return (record.value or b"" for record in read_topic(kafka, topic))
