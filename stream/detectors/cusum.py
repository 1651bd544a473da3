"""The yardstick: a CUSUM that knows the distribution before the change and after it."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream.core.kernel import compiled
from stream.detectors.detector import Categories, Contributor, require_category


class Cusum:
    """Finds the change from `before` to `after` sooner than any rule with as few false alarms can in the worst case (Moustakides 1986).

    Both are shares by category (k,); the statistic is max(0, statistic) + ln(after / before), and `limit` (nats) raises the alarm.
    After a detection it begins anew.

    Raises:
        ValueError: a share is not above 0, the lengths differ, or nothing changes.
    """

    def __init__(self, before: Sequence[float], after: Sequence[float], *, limit: float) -> None:
        shares = np.array([before, after], np.float64)
        if not np.all(np.isfinite(shares)) or shares.min() <= 0:
            raise ValueError("before and after must be shares above 0")
        if not limit > 0:
            raise ValueError(f"limit must be above 0 nats, got {limit}")
        self._step = np.log(shares[1] / shares.sum(axis=1)[1]) - np.log(shares[0] / shares.sum(axis=1)[0])
        if np.allclose(self._step, 0, atol=1e-12):
            raise ValueError("before and after are the same: there is nothing to find")
        self._limit = limit
        self._memory = np.zeros(3)
        self._one = np.zeros(1, np.uint8)

    @property
    def drift_detected(self) -> bool:
        """Whether the last update raised an alarm."""
        return bool(self._memory[0] >= self._limit)

    @property
    def statistic(self) -> float:
        """Nats by which the responses since the likeliest onset speak for `after`."""
        return float(self._memory[0])

    @property
    def threshold(self) -> float:
        """Nats that raise an alarm."""
        return self._limit

    @property
    def onset(self) -> int | None:
        """At a detection the likeliest onset: the response after the statistic was last at 0."""
        return int(self._memory[2]) if self.drift_detected else None

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        """Empty: it was told what moves."""
        return ()

    def update(self, x: int) -> None:
        """Counts the category of one response.

        Raises:
            ValueError: x is no category.
        """
        self._one[0] = require_category(x, len(self._step))
        self.scan(self._one)

    def scan(self, categories: Categories) -> int:
        """Updates up to and including the first response that raises an alarm; returns how many were taken."""
        if self.drift_detected and len(categories):
            self._memory[0] = -math.inf
        return _advance(categories, self._step, self._limit, self._memory)


@compiled
def _advance(
    categories: Categories, step: npt.NDArray[np.float64], limit: float, memory: npt.NDArray[np.float64]
) -> int:
    """`memory`: the statistic, responses so far, and the one after the statistic was last at or under 0."""
    for index in range(len(categories)):
        if memory[0] <= 0.0:
            memory[0] = 0.0
            memory[2] = memory[1]
        memory[0] += step[categories[index]]
        memory[1] += 1.0
        if memory[0] >= limit:
            return index + 1
    return len(categories)
