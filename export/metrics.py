"""Figures of a classifier on labelled rows: pure functions of labels, predictions and confidences."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

_BINS = 10
_RESAMPLES = 500


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Precision, recall and F1 of one label; null where nothing was predicted or nothing was there."""

    label: str
    rows: int
    precision: float | None
    recall: float | None
    f1: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How a classifier did on n rows.

    `macro_f1` is the mean over the labels that occur. `g1_g2_confusion` is (g1 read as g2 + g2 read as g1) / (g1 + g2).
    `calibration_error` is the expected calibration error in 10 bins of equal mass; `calibration_error_if_perfect` is what
    a perfectly calibrated model would show on these confidences. `confusion[true][predicted]` counts rows.
    """

    rows: int
    prompts: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    g1_g2_confusion: float | None
    calibration_error: float
    calibration_error_if_perfect: float
    per_class: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]


def measure(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    *,
    groups: Sequence[str],
    labels: Sequence[str],
) -> Figures:
    """Returns the figures of n ≥ 1 rows; the interval of accuracy (95 %) resamples `groups`, the rows of one prompt."""
    if len(truth) == 0:
        raise ValueError("figures need at least one row")
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    hits = truth == predicted
    per_class = tuple(_of_class(confusion, index, label) for index, label in enumerate(labels))
    scores = [figures.f1 or 0.0 for figures in per_class if figures.rows]
    low, high = _interval(hits, groups)
    aligned = int(confusion[:2].sum())
    return Figures(
        rows=len(truth),
        prompts=len(set(groups)),
        accuracy=_round(hits.mean()),
        accuracy_low=low,
        accuracy_high=high,
        macro_f1=_round(np.mean(scores)),
        g1_g2_confusion=_round((confusion[0, 1] + confusion[1, 0]) / aligned) if aligned else None,
        calibration_error=_round(calibration_error(confidence, hits)),
        calibration_error_if_perfect=_round(_error_if_perfect(confidence)),
        per_class=per_class,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def calibration_error(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    """Returns the mean gap between confidence and accuracy over 10 bins of equal mass (fewer rows: fewer bins)."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(_BINS, len(order)))
    gaps = [len(part) * abs(float(confidence[part].mean() - hits[part].mean())) for part in parts]
    return sum(gaps) / len(order)


def _error_if_perfect(confidence: NDArray[np.float64]) -> float:
    rng = np.random.default_rng(0)
    draws = [calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(100)]
    return float(np.mean(draws))


def _of_class(confusion: NDArray[np.int64], index: int, label: str) -> ClassFigures:
    right, there, said = (int(v) for v in (confusion[index, index], confusion[index].sum(), confusion[:, index].sum()))
    return ClassFigures(
        label=label,
        rows=there,
        precision=_round(right / said) if said else None,
        recall=_round(right / there) if there else None,
        f1=_round(2 * right / (there + said)) if there + said else None,
    )


def _interval(hits: NDArray[np.bool_], groups: Sequence[str]) -> tuple[float, float]:
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    size = np.bincount(member).astype(np.float64)
    right = np.bincount(member, weights=hits)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(size), (_RESAMPLES, len(size)))
    low, high = np.quantile(right[chosen].sum(1) / size[chosen].sum(1), (0.025, 0.975))
    return _round(low), _round(high)


def _round(value: float | np.floating) -> float:
    return round(float(value), 4)
