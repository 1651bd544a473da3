"""Whether confidence is honest: expected calibration error against what honest confidence would show on the same rows."""

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BINS = 10
_DRAWS = 200
_SIMULATED = 20
_SIMULATED_ONCE = 200


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """One bin of the reliability diagram: its rows, their mean confidence, and how many of them were right."""

    rows: int
    confidence: float
    accuracy: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Expected calibration error over bins of equal mass, and how much of it is more than chance.

    `if_perfect` is the error that a perfectly calibrated classifier would show on these confidences; `excess` is the
    difference, which is near 0 for honest confidence whatever the number of rows.
    """

    error: float
    if_perfect: float
    excess: float
    excess_interval: tuple[float, float]
    bins: tuple[Bin, ...]


def calibration(confidence: Floats, hits: Flags, group: NDArray[np.int64]) -> Calibration:
    """Returns the calibration of n ≥ 1 rows; the interval (95 %) is 1.96 standard deviations over resampled groups.

    `group` (n,) numbers the groups from 0. A resample repeats rows, which alone raises the error; so each is compared with
    simulated honest rows that it repeats alike. Rows are simulated one by one: where those of a group stand or fall
    together, chance is underestimated, and `excess` errs on the high side.
    """
    rng = np.random.default_rng(0)
    order = np.argsort(confidence, kind="stable")
    said, group = confidence[order], group[order]
    actual = said - hits[order]
    honest = said - (rng.random((_SIMULATED_ONCE, len(said))) < said)
    error = float(_gaps(actual[None])[0])
    if_perfect = float(_gaps(honest).mean())
    gaps = np.vstack([actual[None], honest[:_SIMULATED]])
    groups = int(group.max()) + 1
    excesses = np.empty(_DRAWS)
    for draw in range(_DRAWS):
        times = np.bincount(rng.integers(0, groups, groups), minlength=groups)
        errors = _gaps(gaps[:, np.repeat(np.arange(len(said)), times[group])])
        excesses[draw] = errors[0] - errors[1:].mean()
    excess, reach = error - if_perfect, 1.96 * float(excesses.std())
    return Calibration(
        error=round(error, 4),
        if_perfect=round(if_perfect, 4),
        excess=round(excess, 4),
        excess_interval=(round(excess - reach, 4), round(excess + reach, 4)),
        bins=_bins(said, hits[order]),
    )


def calibration_error(confidence: Floats, hits: Flags) -> float:
    """Returns the mean gap between confidence and accuracy over 10 bins of equal mass (fewer rows: fewer bins)."""
    order = np.argsort(confidence, kind="stable")
    return float(_gaps((confidence - hits)[order][None])[0])


def _starts(rows: int) -> NDArray[np.int64]:
    """Returns where each of at most 10 bins of `rows` sorted rows begins; the first bins take what is left over."""
    bins = min(_BINS, rows)
    each, more = divmod(rows, bins)
    return np.concatenate([[0], np.cumsum([each + (place < more) for place in range(bins - 1)])]).astype(np.int64)


def _gaps(differences: Floats) -> Floats:
    """Returns the error of each series of (confidence - hit), shape (series, n), in the order of confidence."""
    rows = differences.shape[1]
    return np.asarray(np.abs(np.add.reduceat(differences, _starts(rows), axis=1)).sum(axis=1) / rows)


def _bins(said: Floats, hits: Flags) -> tuple[Bin, ...]:
    parts = [range(*ends) for ends in zip(_starts(len(said)), [*_starts(len(said))[1:], len(said)], strict=True)]
    return tuple(
        Bin(rows=len(part), confidence=round(float(said[part].mean()), 4), accuracy=round(float(hits[part].mean()), 4))
        for part in parts
    )
