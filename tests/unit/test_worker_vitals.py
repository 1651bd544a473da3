"""What a worker says of itself follows from its stages and from whether Kafka is there."""

from types import SimpleNamespace
from typing import Any, cast

from stream.config import Settings, Topics
from stream.health import Vitals
from stream.kafka.presence import Presence
from stream.metrics import Metrics
from stream.worker.failure import Failure
from stream.worker.letters import DeadLetters
from stream.worker.progress import Progress
from stream.worker.stage import Stage, Surroundings
from stream.worker.vitals import vitals_of


def vitals(presence: Presence, *, ready: bool) -> Vitals:
    """Those of a process with one stage."""
    topics, metrics = Topics(), Metrics()
    letters = DeadLetters(topics.deadletter, limit=1, metrics=metrics)
    around = Surroundings(topics=topics, letters=letters, metrics=metrics, failure=Failure())
    stage = SimpleNamespace(name="detect", ready=ready, progress=Progress(lambda: 0, lambda: None))
    return vitals_of(Settings(), [cast("Stage[Any]", stage)], None, around, presence=presence)


def test_a_stage_without_its_partitions_and_state_is_not_ready() -> None:
    presence = Presence("k:9092", meanwhile="")
    assert vitals(presence, ready=False).unready() == "waiting for partitions and state of: detect"
    assert vitals(presence, ready=True).unready() is None


def test_while_kafka_is_away_the_worker_is_not_ready_and_its_status_says_since_when() -> None:
    presence = Presence("k:9092", meanwhile="")
    told = vitals(presence, ready=True)
    presence.note(there=False, now=0.0)
    presence.note(there=False, now=9.0)
    assert str(told.unready()).startswith("Kafka at k:9092 is away since ")
    assert told.status().unready == told.unready()
    presence.note(there=True, now=20.0)
    assert told.status().unready is None
