"""The geometry of the report's charts: numbers in, SVG coordinates out; colours and text styles are the template's."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core.events import AlertEvent
from stream.core.records import Micros
from stream.report.axes import ceiling, days, onset_on, round_steps, span, time_ticks
from stream.report.trajectory import Trajectory
from stream.wording import sentence

WIDTH, LEFT, RIGHT = 960, 64, 14
ENTROPY_TOP, ENTROPY_BOTTOM, SHARES_TOP, SHARES_BOTTOM = 24, 234, 264, 404
HEIGHT = 450
MARKED = 40
"""Alerts drawn at most: more would be a wall of lines."""

Pixels = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where (pixels), and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One alert: its onset, the interval that the onset lies in, and its decision, in pixels from the left; `title` says it in words."""

    onset: float
    low: float
    high: float
    decided: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One monitor's picture: SVG path data, ticks and marks, in pixels of a picture of `WIDTH` by `HEIGHT`.

    `areas` has one path a category. `points` stand for the line where there are too few of them to make one. `unmarked` is the
    number of alerts that were left out.
    """

    band: str
    line: str
    reference: str
    areas: tuple[str, ...]
    points: tuple[tuple[float, float], ...]
    time_ticks: tuple[Tick, ...]
    entropy_ticks: tuple[Tick, ...]
    share_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    unmarked: int
    days: str


@dataclass(frozen=True, slots=True)
class _Scales:
    """From event time, nats and shares to pixels."""

    first: Micros
    last: Micros
    top: float

    def x(self, at: npt.ArrayLike) -> Pixels:
        return LEFT + (np.asarray(at, dtype=np.float64) - self.first) / (self.last - self.first) * (
            WIDTH - RIGHT - LEFT
        )

    def entropy(self, nats: npt.ArrayLike) -> Pixels:
        return ENTROPY_BOTTOM - np.asarray(nats, dtype=np.float64) / self.top * (ENTROPY_BOTTOM - ENTROPY_TOP)

    def share(self, share: npt.ArrayLike) -> Pixels:
        return SHARES_BOTTOM - np.asarray(share, dtype=np.float64) * (SHARES_BOTTOM - SHARES_TOP)


def chart(trajectory: Trajectory) -> Chart:
    """Lays out entropy with its interval and reference above the stacked shares, over one axis of event time.

    Raises:
        ValueError: the trajectory has no point.
    """
    if not len(trajectory.ts):
        raise ValueError(f"a chart needs at least one point, {trajectory.monitor} has none")
    first, last = span(trajectory)
    scales = _Scales(first, last, ceiling(trajectory))
    x = scales.x(trajectory.ts)
    edges = scales.share(np.cumsum(np.hstack([np.zeros((len(x), 1)), trajectory.shares]), axis=1))
    line = scales.entropy(trajectory.entropy)
    return Chart(
        band=_area(x, scales.entropy(trajectory.low), scales.entropy(trajectory.high)),
        line=_line(x, line),
        reference=_line(x, scales.entropy(trajectory.reference)),
        areas=tuple(_area(x, edges[:, index], edges[:, index + 1]) for index in range(edges.shape[1] - 1)),
        points=tuple(zip(x.tolist(), line.tolist(), strict=True)) if len(x) < 3 else (),
        time_ticks=tuple(Tick(round(float(scales.x(at)), 1), label) for at, label in time_ticks(first, last)),
        entropy_ticks=tuple(
            Tick(round(float(scales.entropy(nats)), 1), f"{nats:g}") for nats in round_steps(scales.top, most=7)
        ),
        share_ticks=tuple(Tick(round(float(scales.share(share)), 1), f"{share:.0%}") for share in (0.0, 0.5, 1.0)),
        marks=tuple(_mark(alert, scales) for alert in trajectory.firing[:MARKED]),
        unmarked=max(0, len(trajectory.firing) - MARKED),
        days=days(first, last),
    )


def _mark(alert: AlertEvent, scales: _Scales) -> Mark:
    low, onset, high = (float(scales.x(at)) for at in onset_on(alert, scales.first, scales.last))
    return Mark(onset=onset, low=low, high=high, decided=float(scales.x(alert.ts)), title=sentence(alert))


def _line(x: Pixels, y: Pixels) -> str:
    """A path through the points, interrupted where y is NaN."""
    parts = []
    move = True
    for across, down in zip(x.tolist(), y.tolist(), strict=True):
        if down != down:  # noqa: PLR0124 - NaN is the value that differs from itself
            move = True
            continue
        parts.append(f"{'M' if move else 'L'}{across:.1f} {down:.1f}")
        move = False
    return "".join(parts)


def _area(x: Pixels, lower: Pixels, upper: Pixels) -> str:
    """A closed path along `upper` and back along `lower`."""
    there = [f"{across:.1f} {down:.1f}" for across, down in zip(x.tolist(), upper.tolist(), strict=True)]
    back = [f"{across:.1f} {down:.1f}" for across, down in zip(x[::-1].tolist(), lower[::-1].tolist(), strict=True)]
    return "M" + "L".join(there + back) + "Z"
