"""The temperature that makes a classifier's confidence honest, and how honest that is on rows that did not fit it."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.calibrate import fit_temperature
from export.reliability import Calibration, calibration
from export.rows import Row, normalise
from models.bundle import OutOfTaxonomy

_FOLDS = 5
_HEAVY = 6
"""A request with many rows counts as at most this many."""


class CrossFitted(msgspec.Struct, frozen=True, kw_only=True):
    """The temperature of a bundle, fitted on all rows that training left out, and what it is worth on rows it was not fitted on.

    `calibration` judges each row by the temperature of the other folds' requests (`fold_temperatures`), so that no row
    vouches for itself. `out_of_taxonomy` holds at `temperature`.
    """

    rows: int
    requests: int
    temperature: float
    fold_temperatures: tuple[float, ...]
    calibration: Calibration
    out_of_taxonomy: OutOfTaxonomy


def cross_fit(logits: NDArray[np.float32], rows: Sequence[Row]) -> CrossFitted:
    """Returns the temperature for the uncalibrated `logits` (n, k) of labelled rows, cross-fitted by request in five folds."""
    names, group = np.unique([normalise(row.goal or row.prompt) for row in rows], return_inverse=True)
    labels = np.array([row.label for row in rows], np.int64)
    counts = Counter(group.tolist())
    weights = np.array([min(1.0, _HEAVY / counts[one]) for one in group.tolist()])
    fold = np.array([hashlib.sha256(name.encode()).digest()[0] % _FOLDS for name in names.tolist()])[group]
    confidence = np.empty(len(rows), np.float64)
    temperatures = []
    for number in range(_FOLDS):
        inside, outside = fold == number, fold != number
        fitted = fit_temperature(logits[outside], labels[outside], weights[outside]) if outside.any() else 1.0
        confidence[inside] = _confidence(logits[inside] / fitted)
        temperatures.append(fitted)
    temperature = fit_temperature(logits, labels, weights)
    return CrossFitted(
        rows=len(rows),
        requests=len(names),
        temperature=temperature,
        fold_temperatures=tuple(temperatures),
        calibration=calibration(confidence, logits.argmax(axis=1) == labels, group),
        out_of_taxonomy=_out_of_taxonomy(logits.astype(np.float64) / temperature),
    )


def _out_of_taxonomy(logits: NDArray[np.float64]) -> OutOfTaxonomy:
    """Returns the 1 % and 5 % ends of confidence and energy, as `models.onnx_t5` defines both."""
    confidence, energy = _confidence(logits), -np.logaddexp.reduce(logits, axis=1)
    low = [round(float(value), 4) for value in np.quantile(confidence, (0.01, 0.05))]
    high = [round(float(value), 4) for value in np.quantile(energy, (0.99, 0.95))]
    return OutOfTaxonomy(rows=len(logits), confidence_1=low[0], confidence_5=low[1], energy_1=high[0], energy_5=high[1])


def _confidence(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    scores = logits.astype(np.float64)
    return np.asarray(np.exp(scores.max(axis=1) - np.logaddexp.reduce(scores, axis=1)))
