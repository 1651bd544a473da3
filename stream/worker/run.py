"""Puts a worker together and runs it: the checks, the stages of its role, and what it answers about itself."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvloop

from models.classifier import Classifier
from stream.config import Settings
from stream.core.taxonomy import Taxonomy
from stream.formats.missing_time import RecordTime
from stream.health import HealthServer
from stream.kafka.memo import Memo
from stream.kafka.presence import watched
from stream.metrics import Metrics
from stream.pipeline import Classify, Detect
from stream.report.visible import sees
from stream.worker.app import new_app, notes_group
from stream.worker.cap import Cap, Limits
from stream.worker.caution import Caution
from stream.worker.classify import ClassifyStage
from stream.worker.detect import DetectStage
from stream.worker.failure import Failure
from stream.worker.heap import share_heaps
from stream.worker.letters import DeadLetters
from stream.worker.lifetime import StopTimeoutError, serve
from stream.worker.notebook import Notebook
from stream.worker.plan import Plan, make_plan
from stream.worker.stage import Intake, Stage, Surroundings
from stream.worker.table import new_table
from stream.worker.vitals import vitals_of
from stream.worker.warm import compile_detector

DETECT_RECORDS = 512
DETECT_SECONDS = 0.05
"""A micro-batch of scored records: they are small, and an alert should not wait for company."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker is to do, with what: it classifies if it has a classifier, and detects if it is told so."""

    settings: Settings
    taxonomy: Taxonomy
    classifier: Classifier | None
    detects: bool


def run_worker(job: Job, *, say: Say) -> None:
    """Processes responses until SIGINT or SIGTERM, then drains, commits and returns; tells people what it does by `say`.

    Raises:
        BrokerError, TopicError, SettingsError: it cannot start; the message says what to do.
        StateError, WorkerError, ModelError: it cannot go on; whatever was not committed is read again after a restart.
    """
    share_heaps()
    plan = make_plan(job.settings, classifies=job.classifier is not None, detects=job.detects)
    if job.detects:
        say("preparing the detector (compiled once on a machine, then cached)")
        compile_detector(job.taxonomy, aged=job.settings.monitor.window_age is not None)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust's own threads make loops, too
    try:
        asyncio.run(_run(job, plan, say))
    except StopTimeoutError as error:
        say(f"valuedrift: {error}")
        os._exit(0 if error.delivered else 1)  # a thread of Faust hangs, and would keep the process alive for ever


async def _run(job: Job, plan: Plan, say: Say) -> None:
    settings, metrics, failure = job.settings, Metrics(), Failure()
    topics = settings.kafka.topics
    letters = DeadLetters(topics.deadletter, limit=plan.letter_bytes, metrics=metrics)
    around = Surroundings(topics=topics, letters=letters, metrics=metrics, failure=failure)
    classify = None if job.classifier is None else _classify_stage(job, job.classifier, around)
    detect = _detect_stage(job, plan, around) if job.detects else None
    stages: list[Stage[Any]] = [stage for stage in (classify, detect) if stage is not None]
    with watched(settings.kafka, meanwhile="retrying, nothing is lost") as presence:
        server = HealthServer(vitals_of(job.settings, stages, detect, around, presence=presence))
        try:
            url = await server.start(settings.worker.health_host, settings.worker.health_port)
            for line in introduction(job, plan, url):
                say(line)
            await serve(stages, failure, say=say)
        finally:
            for stage in stages:
                stage.close()
            await server.stop()


def _classify_stage(job: Job, classifier: Classifier, around: Surroundings) -> ClassifyStage:
    settings = job.settings
    pipeline = Classify(
        classifier=classifier,
        taxonomy=job.taxonomy,
        missing_time=RecordTime(),
        monitor_by=settings.monitor.monitor_by,
        attributes=settings.monitor.attributes,
        form=settings.worker.format,
        keep_values=settings.worker.dead_letter_values,
    )
    size, seconds = settings.classifier.batch_size, settings.classifier.max_wait_ms / 1000
    topic = settings.kafka.topics.input
    advice = (
        f"`valuedrift check {topic}` says what they are; correct [worker] format, or run the version that reads them"
    )
    caution = _caution(settings, ClassifyStage.name, advice=advice)
    intake = Intake(topic=topic, size=size, seconds=seconds, caution=caution)
    app = new_app(settings, ClassifyStage.name)
    return ClassifyStage(app, intake, around, pipeline=pipeline, evaluation_topic=settings.kafka.evaluation_topic)


def _detect_stage(job: Job, plan: Plan, around: Surroundings) -> DetectStage:
    settings = job.settings
    app = new_app(settings, DetectStage.name)
    table = new_table(app, partitions=plan.scored_partitions)
    caution = _caution(settings, DetectStage.name, advice="Run the version, and the bundle, that wrote them")
    topic = settings.kafka.topics.scored
    intake = Intake(
        topic=topic,
        size=DETECT_RECORDS,
        seconds=DETECT_SECONDS,
        caution=caution,
        max_monitors=settings.worker.max_monitors,
    )
    return DetectStage(app, intake, around, pipeline=Detect(settings=settings.engine(job.taxonomy)), table=table)


def _caution(settings: Settings, stage: str, *, advice: str) -> Caution:
    chosen = settings.worker
    cap = Cap(Limits(in_a_row=chosen.unusable_in_a_row, share=chosen.unusable_share), advice=advice)
    return Caution(cap, Notebook(Memo(settings.kafka, group=notes_group(settings, stage))))


def introduction(job: Job, plan: Plan, url: str) -> list[str]:
    """What a person wants to know when a worker starts: with a reference from a file also the smallest change that it lets one see."""
    topics, lines = job.settings.kafka.topics, [f"kafka: {job.settings.kafka.bootstrap_servers}"]
    if job.classifier is not None:
        lines.append(f"classifier: {job.classifier.name} on {job.settings.classifier.device}")
        lines.append(
            f"classify: {topics.input} ({plan.input_partitions} partitions) -> {topics.scored}, {topics.deadletter}"
        )
    if job.detects:
        lines.append(
            f"detect: {topics.scored} ({plan.scored_partitions} partitions) -> {topics.drift}, {topics.alerts}"
        )
        engine = job.settings.engine(job.taxonomy)
        if engine.reference is not None:
            lines.append(sees(engine.reference, engine))
    return [*lines, f"health: {url}"]
