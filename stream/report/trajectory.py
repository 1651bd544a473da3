"""What one monitor did, thinned to what a picture can show: the same points for the report, the plot and any other drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from stream.core.events import AlertEvent, DriftEvent, State, Status

POINTS = 1000
"""A picture is about as many pixels wide: more points would cost memory and show nothing."""

_COLOURS = ("#0a8f6a", "#d1491b", "#2f6fb7", "#e8a317", "#8a8f98", "#b4649c", "#4fa9d6", "#7a5230")


def colours(categories: int) -> tuple[str, ...]:
    """One colour a category, in category order, told apart by colour-blind people too (after Okabe and Ito, on white and on black).

    Beyond eight categories they repeat.
    """
    return tuple(_COLOURS[index % len(_COLOURS)] for index in range(categories))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectory:
    """Entropy and shares of one monitor over event time, with its alerts.

    Shapes: `ts` int64 (points,) in microseconds; `entropy`, `low`, `high`, `reference` float64 (points,) in nats, where `reference` is
    NaN while it is being learned; `shares` float64 (points, categories), each row adding up to 1.
    """

    monitor: str
    ts: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    reference: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    alerts: tuple[AlertEvent, ...]

    @property
    def firing(self) -> tuple[AlertEvent, ...]:
        """The alerts that opened, in order."""
        return tuple(alert for alert in self.alerts if alert.status is Status.FIRING)


class TrajectoryBuilder:
    """Collects the events of one monitor and keeps at most twice `POINTS` of them, evenly spread, and always the last."""

    def __init__(self, monitor: str, *, categories: int) -> None:
        self._monitor = monitor
        self._categories = categories
        self._kept: list[DriftEvent] = []
        self._last: DriftEvent | None = None
        self._alerts: list[AlertEvent] = []
        self._seen = 0
        self._every = 1

    def drift(self, event: DriftEvent) -> Self:
        """Take the next drift event of the monitor."""
        if self._seen % self._every == 0:
            self._kept.append(event)
            if len(self._kept) == 2 * POINTS:
                del self._kept[1::2]
                self._every *= 2
        self._seen += 1
        self._last = event
        return self

    def alert(self, event: AlertEvent) -> Self:
        """Take the next alert of the monitor."""
        self._alerts.append(event)
        return self

    def build(self) -> Trajectory:
        """The trajectory so far; without any event its arrays are empty."""
        events = self._kept if self._last is None or self._kept[-1] is self._last else [*self._kept, self._last]
        counts = np.array([event.counts for event in events], dtype=np.float64).reshape(len(events), self._categories)
        return Trajectory(
            monitor=self._monitor,
            ts=np.array([event.ts for event in events], dtype=np.int64),
            entropy=_column([event.entropy.value for event in events]),
            low=_column([event.entropy.low for event in events]),
            high=_column([event.entropy.high for event in events]),
            reference=_column(
                [np.nan if event.state is State.LEARNING else event.reference.entropy for event in events]
            ),
            shares=counts / np.maximum(counts.sum(axis=1, keepdims=True), 1),
            alerts=tuple(self._alerts),
        )


def _column(values: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
