"""Figures of a classifier on labelled rows: pure functions of labels, predictions and confidences."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.reliability import Calibration, calibration

_RESAMPLES = 1000
_LEVEL = (0.025, 0.975)

Interval = tuple[float, float]


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Precision, recall and F1 of one label, each with its interval; null where nothing was predicted or nothing was there."""

    label: str
    rows: int
    precision: float | None
    precision_interval: Interval | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None
    f1_interval: Interval | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How a classifier did on n rows.

    Intervals are 95 % bootstrap intervals that resample prompts. `macro_f1` is the mean over the labels that occur.
    `g1_g2_confusion` is (g1 read as g2 + g2 read as g1) / (g1 + g2). `confusion[true][predicted]` counts rows.
    """

    rows: int
    prompts: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    macro_f1_interval: Interval
    g1_g2_confusion: float | None
    g1_g2_interval: Interval | None
    calibration: Calibration
    per_class: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]


class _Scores(msgspec.Struct, frozen=True):
    """What follows from confusion tables (draws, k, k), NaN where undefined: each (draws,) or, by label, (draws, k)."""

    accuracy: NDArray[np.float64]
    macro_f1: NDArray[np.float64]
    mixed: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def measure(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    *,
    groups: Sequence[str],
    labels: Sequence[str],
) -> Figures:
    """Returns the figures of n ≥ 1 rows; `groups` says which rows are of one prompt and are resampled together."""
    if len(truth) == 0:
        raise ValueError("figures need at least one row")
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    tables = tables_by_group(truth, predicted, group, len(labels))
    confusion = tables.sum(axis=0)
    point, spread = _scores(confusion[None]), _scores(resampled(tables, _RESAMPLES))
    low, high = interval(spread.accuracy)
    per_class = tuple(
        ClassFigures(
            label=label,
            rows=int(confusion[place].sum()),
            precision=_value(point.precision[0, place]),
            precision_interval=_interval(point.precision[0, place], spread.precision[:, place]),
            recall=_value(point.recall[0, place]),
            recall_interval=_interval(point.recall[0, place], spread.recall[:, place]),
            f1=_value(point.f1[0, place]),
            f1_interval=_interval(point.f1[0, place], spread.f1[:, place]),
        )
        for place, label in enumerate(labels)
    )
    return Figures(
        rows=len(truth),
        prompts=len(tables),
        accuracy=round(float(point.accuracy[0]), 4),
        accuracy_low=low,
        accuracy_high=high,
        macro_f1=round(float(point.macro_f1[0]), 4),
        macro_f1_interval=interval(spread.macro_f1),
        g1_g2_confusion=_value(point.mixed[0]),
        g1_g2_interval=_interval(point.mixed[0], spread.mixed),
        calibration=calibration(confidence, truth == predicted, group),
        per_class=per_class,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def tables_by_group(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], group: NDArray[np.int64], labels: int
) -> NDArray[np.int64]:
    """Returns the confusion table of each group, shape (groups, k, k)."""
    tables = np.zeros((int(group.max()) + 1, labels, labels), np.int64)
    np.add.at(tables, (group, truth, predicted), 1)
    return tables


def resampled(tables: NDArray[np.int64], draws: int) -> NDArray[np.int64]:
    """Returns the summed tables (draws, k, k) of as many groups as there are, drawn with replacement."""
    groups = len(tables)
    rng = np.random.default_rng(0)
    times = rng.multinomial(groups, np.full(groups, 1 / groups), draws)
    return (times @ tables.reshape(groups, -1)).reshape(draws, *tables.shape[1:])


def interval(values: NDArray[np.float64]) -> Interval:
    """Returns the range that holds the middle 95 % of resampled values, those that are undefined left out."""
    low, high = np.nanquantile(values, _LEVEL)
    return round(float(low), 4), round(float(high), 4)


def _scores(tables: NDArray[np.int64]) -> _Scores:
    right = np.diagonal(tables, axis1=1, axis2=2).astype(np.float64)
    there, said = tables.sum(axis=2), tables.sum(axis=1)
    f1 = _share(2 * right, there + said)
    counted = np.where(there > 0, f1, np.nan)
    return _Scores(
        accuracy=right.sum(axis=1) / there.sum(axis=1),
        macro_f1=np.nanmean(counted, axis=1),
        mixed=_share((tables[:, 0, 1] + tables[:, 1, 0]).astype(np.float64), there[:, :2].sum(axis=1)),
        precision=_share(right, said),
        recall=_share(right, there),
        f1=f1,
    )


def _share(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares


def _value(value: np.float64) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _interval(point: np.float64, values: NDArray[np.float64]) -> Interval | None:
    """Returns the interval of a figure that exists."""
    return None if np.isnan(point) else interval(values)
