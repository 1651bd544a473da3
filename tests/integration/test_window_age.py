"""A window by age through a real Kafka: late responses, one wrong clock and a worker that takes over, against the definition."""

from collections import Counter

import pytest

from stream import times
from stream.config import KafkaSettings, MonitorSettings
from stream.core.taxonomy import PAPER
from tests.integration.workers import (
    Json,
    audit,
    await_records,
    labels,
    read_json,
    response,
    running,
    send,
    worker_settings,
    worker_variables,
)

pytestmark = pytest.mark.kills

AGE, STRIDE, START = 60, 10, 1_767_225_600
"""Seconds, responses, and the time of the first; a pane is one second."""
LATE, TOO_LATE, WRONG_CLOCK = 30, 95, 140
"""Responses out of order: still in the window, no longer in it, and far ahead alone."""
TIMES = {LATE: 5, TOO_LATE: 6, WRONG_CLOCK: 90_000}
HALF, RESPONSES = 83, 180
"""The first worker is sent so many, which end inside a stride, and the second goes on from its state."""


def test_drift_events_count_the_last_minute_of_event_time_whoever_owns_the_monitor(
    environment: dict[str, str], kafka: KafkaSettings
) -> None:
    variables = worker_variables(environment, kafka) | {"VALUEDRIFT_MONITOR__WINDOW_AGE": f"{AGE}s"}
    seconds = [TIMES.get(number, number) for number in range(RESPONSES)]
    said = labels({"helpful_aligned": 120, "refusal_appropriate": 40, "off_topic": 20}, seed=1)
    log = [
        (b"m", response(number, label, ts=_rendered(second)))
        for number, (label, second) in enumerate(zip(said, seconds, strict=True))
    ]
    for start, end in ((0, HALF), (HALF, RESPONSES)):
        send(kafka, log[start:end])
        with running(variables) as worker:
            worker.ready()
            await_records(kafka, kafka.topics.drift, end // STRIDE)
            code, errors = worker.stop()
            assert code == 0, errors
    events = read_json(kafka, kafka.topics.drift)
    assert [event["seq"] + 1 for event in events] == list(range(STRIDE, RESPONSES + 1, STRIDE))
    for event in events:
        _check(event, said, seconds)
    assert events[-1]["aside"] == {"late": 1, "ahead": 1}
    by_age = MonitorSettings(window=100, stride=STRIDE, window_age=f"{AGE}s")
    audit(kafka, worker_settings(kafka).model_copy(update={"monitor": by_age}), sent=RESPONSES)


def _check(event: Json, said: list[str], seconds: list[int]) -> None:
    """What an event says of its window follows from all responses up to it, but for the one whose clock was wrong."""
    seen = [number for number in range(event["seq"] + 1) if number != WRONG_CLOCK]
    watermark = max(seconds[number] for number in seen)
    inside = [number for number in seen if seconds[number] > watermark - AGE]
    counts = Counter(said[number] for number in inside)
    assert event["counts"] == [counts[name] for name in PAPER.names]
    assert event["window"]["n"] == len(inside)
    assert event["window"]["to"] == _rendered(watermark)
    assert event["aside"] == {"late": int(TOO_LATE in seen), "ahead": int(event["seq"] > WRONG_CLOCK)}


def _rendered(second: int) -> str:
    return times.render((START + second) * 1_000_000)
