"""Logs for tests of the core: labelled responses with known distributions, as scored records."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stream.backtest import models
from stream.core.events import AlertEvent, DriftEvent
from stream.core.monitor import Monitor, Observed
from stream.core.records import Scored, Source
from stream.core.settings import EngineSettings

QUIET, BUSY, BROKEN, SWAPPED = models.QUIET, models.BUSY, models.BROKEN, models.SWAPPED
shares = models.shares

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
