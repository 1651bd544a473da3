"""Simulated figures with their errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z = 1.959963984540054
"""Of a two-sided 95 % interval."""
FEW = 10
"""Alarms below which the interval is that of a Poisson count."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A simulated figure and its standard error."""

    value: float
    error: float

    def __truediv__(self, other: "Estimate") -> "Estimate":
        ratio = self.value / other.value
        return Estimate(ratio, ratio * float(np.hypot(self.error / self.value, other.error / other.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Responses between false alarms: `alarms` in `judged` responses, their ratio and its 95 % interval; inf where nothing bounds it."""

    judged: int
    alarms: int
    value: float
    error: float
    low: float
    high: float


def mean(values: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> Estimate:
    """Mean, with the error of independent values."""
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def quantile(values: Sequence[float] | npt.NDArray[np.int64], share: float) -> Estimate:
    """Quantile of a sample, with its error by the bootstrap."""
    again = np.random.default_rng(0).choice(values, (500, len(values)))
    return Estimate(float(np.quantile(values, share)), float(np.std(np.quantile(again, share, axis=1))))


def interval_of(judged: npt.NDArray[np.int64], alarmed: npt.NDArray[np.bool_]) -> Interval:
    """Responses judged over alarms of independent runs (runs,), each of which ended with its first alarm or without one.

    From `FEW` alarms on the 95 % interval is that of the ratio's logarithm, otherwise that of a Poisson count (Garwood 1936).
    """
    total, alarms = int(judged.sum()), int(alarmed.sum())
    value = total / alarms if alarms else math.inf
    error = float(np.sqrt(np.sum((judged - value * alarmed) ** 2)) / alarms) if alarms else math.inf
    if alarms >= FEW:
        part = math.exp(Z * error / value)
        return Interval(judged=total, alarms=alarms, value=value, error=error, low=value / part, high=value * part)
    low = 2 * total / _chi_square(2 * alarms + 2, Z)
    high = 2 * total / _chi_square(2 * alarms, -Z) if alarms else math.inf
    return Interval(judged=total, alarms=alarms, value=value, error=error, low=low, high=high)


def _chi_square(freedom: int, z: float) -> float:
    """Quantile of a chi-square distribution at the normal deviate z (Wilson & Hilferty 1931)."""
    part = 2 / (9 * freedom)
    return float(freedom * max(1 - part + z * math.sqrt(part), 1e-3) ** 3)
