"""Every metric of the worker, in one typed place, for Prometheus to read.

Names of monitors are no labels: they come from log lines, and a label value for each would let one client fill the memory of
whatever scrapes. `/monitors` lists them instead.
"""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counts what a worker does; each attribute is one metric, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.records = Counter("valuedrift_records", "Records read from Kafka.", ["stage"], registry=self.registry)
        self.responses_scored = Counter(
            "valuedrift_responses_scored", "Responses sorted into a behaviour.", ["category"], registry=self.registry
        )
        self.dead_letters = Counter(
            "valuedrift_dead_letters", "Records that could not be used.", ["stage", "reason"], registry=self.registry
        )
        self.responses_observed = Counter(
            "valuedrift_responses_observed", "Responses counted by their monitor.", registry=self.registry
        )
        self.responses_skipped = Counter(
            "valuedrift_responses_skipped", "Responses that had been counted before.", registry=self.registry
        )
        self.drift_events = Counter("valuedrift_drift_events", "Drift events emitted.", registry=self.registry)
        self.alerts = Counter(
            "valuedrift_alerts", "Alerts emitted.", ["rule", "severity", "status"], registry=self.registry
        )
        self.batch_seconds = Histogram(
            "valuedrift_batch_seconds",
            "Seconds from taking a micro-batch to its acknowledgement.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.lag = Gauge(
            "valuedrift_lag_records", "Records that wait in Kafka for this worker.", ["stage"], registry=self.registry
        )
        self.last_commit = Gauge(
            "valuedrift_last_commit_timestamp_seconds",
            "When this worker last committed offsets, in seconds since 1970; 0 if it has not yet.",
            ["stage"],
            registry=self.registry,
        )
        self.monitors = Gauge("valuedrift_monitors", "Monitors that this worker owns.", registry=self.registry)

    def watch_stage(self, stage: str, *, lag: Callable[[], float], committed: Callable[[], float | None]) -> None:
        """Takes a stage's lag and the time of its last commit (of `time.monotonic`) whenever metrics are asked for."""
        self.lag.labels(stage=stage).set_function(lag)
        self.last_commit.labels(stage=stage).set_function(lambda: wall_clock(committed()) or 0.0)

    def watch_monitors(self, read: Callable[[], float]) -> None:
        """Takes the number of monitors from `read` whenever metrics are asked for."""
        self.monitors.set_function(read)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


def wall_clock(at: float | None) -> float | None:
    """Seconds since 1970 of a time of `time.monotonic`, None for None."""
    return None if at is None else time.time() - (time.monotonic() - at)
