"""The paper's rule behind river's contract: it fires where S moves by more than ε between two windows one stride apart."""

import math

import numpy as np
import numpy.typing as npt

from stream.core.evidence import parts_of_entropy
from stream.core.kernel import compiled
from stream.detectors.detector import Categories, Contributor, largest_first, require_category

SEEN, FIRED = range(2)
"""Places in the scalars: responses so far, and 1 where the last one fired."""


class Epsilon:
    """Fires at each stride where abs(S(t) - S(t - 1)) > ε, both over full windows (arXiv 2512.03047); it keeps no promise on false alarms.

    `window` and `stride` are in responses, `epsilon` in nats. A detection changes nothing for the next one: the window runs on.

    Raises:
        ValueError: the window is no multiple of the stride, or epsilon is not above 0.
    """

    def __init__(self, *, epsilon: float = 0.001, window: int = 100, stride: int = 1, categories: int = 5) -> None:
        if stride < 1 or window < stride or window % stride:
            raise ValueError(f"window must be a multiple of stride ({stride}), got {window}")
        if not epsilon > 0:
            raise ValueError(f"epsilon must be above 0 nats, got {epsilon}")
        self._epsilon = epsilon
        self._stride = stride
        self._ring = np.zeros(window, np.uint8)
        self._counts = np.zeros((2, categories), np.int64)
        self._scalars = np.zeros(2, np.int64)
        self._entropies = np.full(2, math.nan)
        self._one = np.zeros(1, np.uint8)

    @property
    def drift_detected(self) -> bool:
        """Whether the last update raised an alarm."""
        return bool(self._scalars[FIRED])

    @property
    def statistic(self) -> float | None:
        """abs(S(t) - S(t - 1)) in nats at a stride, None between strides and before two full windows."""
        if int(self._scalars[SEEN]) % self._stride:
            return None
        change = abs(float(self._entropies[1] - self._entropies[0]))
        return None if math.isnan(change) else change

    @property
    def threshold(self) -> float:
        """ε in nats."""
        return self._epsilon

    @property
    def onset(self) -> int | None:
        """At a detection the first response of the last stride."""
        return int(self._scalars[SEEN]) - self._stride if self.drift_detected else None

    @property
    def contributors(self) -> tuple[Contributor, ...]:
        """At a detection each category's part of the change of S; parts may be negative."""
        return largest_first(parts_of_entropy(self._counts[1], self._counts[0])) if self.drift_detected else ()

    def update(self, x: int) -> None:
        """Counts the category of one response.

        Raises:
            ValueError: x is no category.
        """
        self._one[0] = require_category(x, self._counts.shape[1])
        self.scan(self._one)

    def scan(self, categories: Categories) -> int:
        """Updates up to and including the first response that raises an alarm; returns how many were taken."""
        return _advance(
            categories, self._ring, self._counts, self._scalars, self._entropies, (self._epsilon, self._stride)
        )


@compiled
def _advance(
    categories: Categories,
    ring: Categories,
    counts: npt.NDArray[np.int64],
    scalars: npt.NDArray[np.int64],
    entropies: npt.NDArray[np.float64],
    rule: tuple[float, int],
) -> int:
    """Rows of `counts` and places of `entropies`: those of the window one stride ago, and of the present one."""
    epsilon, stride = rule
    window = len(ring)
    for index in range(len(categories)):
        seen = scalars[SEEN]
        if seen >= window:
            counts[1, ring[seen % window]] -= 1
        ring[seen % window] = categories[index]
        counts[1, categories[index]] += 1
        scalars[SEEN] = seen + 1
        scalars[FIRED] = 0
        if (seen + 1) % stride == 0 and seen + 1 >= window:
            entropies[0] = entropies[1]
            value = 0.0
            for category in range(counts.shape[1]):
                share = counts[1, category] / window
                if share > 0.0:
                    value -= share * math.log(share)
            entropies[1] = value
            if abs(entropies[1] - entropies[0]) > epsilon:
                scalars[FIRED] = 1
                return index + 1
            counts[0] = counts[1]
    return len(categories)
