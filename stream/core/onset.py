"""When a change began: the posterior of the onset over what is known of the past.

Under alternative j a change that began `age` responses ago has the likelihood ratio Π shifted / unshifted over the responses since; summed
over alternatives with their prior, it is the posterior of the onset up to a factor. 5 % and 95 % of it bound the onset. Its median is the
best estimate; that of its square where the change is sudden (docs/statistics.md, "Onset").
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.core.detectors import Design
from stream.core.kernel import SEEN
from stream.core.state import State
from stream.core.window import stretches

QUANTILES = (0.05, 0.5, 0.95)
"""Of the age of the onset: youngest, best and oldest."""


class Ages(NamedTuple):
    """How many responses ago a change began: the last response has age 1."""

    youngest: float
    median: float
    oldest: float


def onset_ages(state: State, plan_of: Design, channel: int) -> Ages:
    """Ages of the change that a channel has found, none before the response that its evidence begins with."""
    most = int(state.counts.scalars[SEEN] - state.belief.begun[channel])
    known = stretches(state.counts)
    ages = np.array([0.0, *(stretch.age for stretch in known)])
    gains = np.stack([stretch.counts for stretch in known]) @ np.log(state.plan.ratio[:, plan_of.part(channel)])
    evidence = np.logaddexp.reduce(gains + np.log(state.plan.prior[plan_of.part(channel)] + 1e-300), axis=1)
    possible = ages[:-1] < most
    log_density = np.where(possible, evidence, -np.inf) - evidence[possible].max()
    youngest, median, oldest = _quantiles(np.exp(log_density), possible, ages, QUANTILES)
    if median <= len(state.counts.recent):
        # A change so sudden is larger than its alternatives: their likelihood falls too slowly before it, and dates it too early.
        (median,) = _quantiles(np.exp(2 * log_density), possible, ages, (0.5,))
    youngest, median, oldest = (min(max(age, 1.0), float(most)) for age in (youngest, median, oldest))
    return Ages(min(youngest, median), median, max(oldest, median))


def _quantiles(
    density: npt.NDArray[np.float64],
    possible: npt.NDArray[np.bool_],
    ages: npt.NDArray[np.float64],
    parts: Sequence[float],
) -> tuple[float, ...]:
    """Ages up to which these parts of the mass lie; `density` (n,) is that at `ages` (n + 1,) but for the first, which is 0,
    and 0 where it is not `possible`.

    A stretch of one response has the mass of its own age; a longer gap that of the mean of its ends, per response.
    """
    before = np.concatenate([density[:1], density[:-1]])
    gaps = np.diff(ages)
    mass = np.where((gaps > 1) & possible, 0.5 * (before + density), density) * gaps
    reached = np.concatenate([[0.0], np.cumsum(mass)]) / mass.sum()
    return tuple(float(np.interp(part, reached, ages)) for part in parts)
