"""Axes that people can read: round steps for numbers, calendar steps for event time."""

from datetime import timedelta

from stream.core.events import AlertEvent
from stream.core.records import Micros
from stream.report.trajectory import Trajectory
from stream.wording import EPOCH

SECOND = 1_000_000
_DAY = 86_400 * SECOND
_TIME_STEPS = [
    SECOND * seconds for seconds in (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200)
]
_TIME_STEPS += [_DAY * days for days in (1, 2, 7, 14, 30, 91, 182, 365, 730, 1826, 3652, 36_525)]


def span(trajectory: Trajectory) -> tuple[Micros, Micros]:
    """First and last instant to draw: the events', never of length 0."""
    first, last = int(trajectory.ts.min()), int(trajectory.ts.max())
    return (first, last) if last > first else (first - SECOND, first + SECOND)


def ceiling(trajectory: Trajectory) -> float:
    """Top of the entropy axis in nats: a little above everything that is drawn, and never so low that noise looks like a change."""
    drawn = [0.2, float(trajectory.high.max()), float(trajectory.entropy.max())]
    return 1.06 * max(drawn)


def round_steps(top: float, *, most: int = 5) -> list[float]:
    """Round numbers from 0 up to `top`, at most `most` steps of 1, 2 or 5 times a power of ten.

    Examples:
        >>> round_steps(1.0), round_steps(0.23)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 0.05, 0.1, 0.15, 0.2])
    """
    step = next(
        factor * 10.0**power for power in range(-9, 10) for factor in (1, 2, 5) if top / (factor * 10.0**power) <= most
    )
    return [round(step * index, 10) for index in range(int(top / step + 1e-9) + 1)]


def time_ticks(first: Micros, last: Micros, *, most: int = 9) -> list[tuple[Micros, str]]:
    """Round instants from `first` to `last`, at most about `most`, each with a short label; midnight is labelled with its date."""
    step = next((step for step in _TIME_STEPS if (last - first) / step <= most), _TIME_STEPS[-1])
    return [(at, _label(at, step)) for at in range(-(-first // step) * step, last + 1, step)]


def days(first: Micros, last: Micros) -> str:
    """The day, or the first and last day, that an axis covers: what short tick labels leave out."""
    ends = [f"{EPOCH + timedelta(microseconds=at):%Y-%m-%d}" for at in (first, last)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def onset_on(alert: AlertEvent, first: Micros, last: Micros) -> tuple[Micros, Micros, Micros]:
    """Earliest, best and latest onset of an alert, held within the axis."""
    low, best, high = (min(max(at, first), last) for at in (alert.onset.low, alert.onset.ts, alert.onset.high))
    return low, best, high


def _label(at: Micros, step: Micros) -> str:
    moment = EPOCH + timedelta(microseconds=at)
    if step >= 30 * _DAY:
        return f"{moment:%b %Y}"
    if step >= _DAY or at % _DAY == 0:
        return f"{moment:%-d %b}"
    return f"{moment:%H:%M}" if step >= 60 * SECOND else f"{moment:%H:%M:%S}"
