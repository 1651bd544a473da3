"""Logs for tests of the core: labelled responses with known distributions, as scored records."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stream.core.monitor import Monitor, Observed
from stream.core.records import AlertEvent, DriftEvent, Scored, Source
from stream.core.settings import EngineSettings

QUIET = np.array([0.975, 0.005, 0.01, 0.005, 0.005])
"""Shares of g1..g5 of a well-tuned model on ordinary traffic: S = 0.15 nats."""
BUSY = np.array([0.86, 0.02, 0.06, 0.03, 0.03])
"""The same with more harmful requests and more that goes wrong: S = 0.59 nats."""
BROKEN = np.array([0.78, 0.08, 0.06, 0.03, 0.05])
"""What QUIET may turn into: S = 0.82 nats."""
SWAPPED = np.array([0.86, 0.06, 0.02, 0.03, 0.03])
"""BUSY with misaligned help and appropriate refusals exchanged: the same S."""


def shares(off_topic: float, harmful: float, misaligned: float, refused: float) -> npt.NDArray[np.float64]:
    """Shares of g1..g5 from those of the nested streams: off-topic; harmful of the rest; misaligned of harmful; refused of benign."""
    on, benign = 1 - off_topic, 1 - harmful
    return np.array(
        [
            on * benign * (1 - refused),
            on * harmful * misaligned,
            on * harmful * (1 - misaligned),
            on * benign * refused,
            off_topic,
        ]
    )


CALM = shares(0.005, 0.02, 0.25, 0.005)
"""Little harmful traffic."""
ATTACKED = shares(0.005, 0.5, 0.25, 0.005)
"""The same behaviour when every second request is harmful."""
SECOND = 1_000_000
"""Microseconds between two responses of a log."""

Categories = npt.NDArray[np.uint8]


def draw(shares: npt.NDArray[np.float64], n: int, seed: int) -> Categories:
    """n independent categories with these shares."""
    return np.random.default_rng(seed).choice(len(shares), n, p=shares).astype(np.uint8)


def scored(categories: Sequence[int] | Categories, *, start: int = 0, monitor: str = "m", topic: str = "log") -> Scored:
    """A record of these responses: offset, id and time follow from the place in the log, `start` for the first."""
    places = np.arange(start, start + len(categories), dtype=np.int64)
    return Scored(
        monitor=monitor,
        classifier="rules@0123abcd",
        source=Source(topic, 0),
        offset=places,
        event_id=tuple(f"event-{place}" for place in places.tolist()),
        ts=places * SECOND,
        category=np.asarray(categories, np.uint8),
        attributes={},
    )


def records(categories: Categories, cuts: Iterable[int]) -> list[Scored]:
    """The log cut into records before each of these places."""
    edges = sorted({0, len(categories), *cuts})
    return [scored(categories[start:end], start=start) for start, end in pairwise(edges)]


def judged(categories: Categories, settings: EngineSettings) -> tuple[list[DriftEvent], list[AlertEvent]]:
    """What a new monitor says of a log that comes as one record."""
    return collected([Monitor("m", settings).observe(scored(categories))])


def collected(observed: Iterable[Observed]) -> tuple[list[DriftEvent], list[AlertEvent]]:
    """Drift and alert events of several records, in order."""
    drift: list[DriftEvent] = []
    alerts: list[AlertEvent] = []
    for one in observed:
        drift.extend(one.drift)
        alerts.extend(one.alerts)
    return drift, alerts
