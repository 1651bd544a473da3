"""Shares of behaviours and their entropy, corrected for the errors of the classifier that sorted the responses.

Formulas, sources, assumptions and measured coverage: docs/statistics.md, "Corrected for classifier error".
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.core.entropy import PSEUDOCOUNT, Z95, gamma_quantiles, measure

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DRAWS = 4_000
"""Of the Monte Carlo interval: its ends then move by about 3 % of the interval's width from seed to seed."""


class Interval(NamedTuple):
    """An estimate and the 95 % interval around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The share of each behaviour, in category order, and the entropy of the shares in nats."""

    shares: tuple[Interval, ...]
    entropy: Interval


def as_counted(counts: Integers) -> Estimate:
    """Takes the counts (k,) as they are: shares with Wilson's interval (1927), entropy as in drift events (jackknifed).

    Raises:
        ValueError: there is nothing to count.
    """
    n = _total(counts)
    shares = counts / np.float64(n)
    near = smoothed(shares, n)
    found = measure(counts, np.zeros(len(counts), np.int8))
    return Estimate(
        shares=_wilson(shares, near, near * (1 - near) / n),
        entropy=Interval(found.corrected, found.low, found.high),
    )


def soft_labels(mean: Floats, covariance: Floats, n: int) -> Estimate:
    """Takes the mean (k,) of n responses' probabilities for the shares; right where the probabilities are calibrated, and only there.

    `covariance` (k, k) is that of the probabilities over the responses.
    """
    return from_moments(mean, covariance / n, near=smoothed(mean, n))


def by_confusion(counts: Integers, confusion: Floats, *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Inverts the classifier's confusion: shares p of the true behaviours such that the classifier would give these counts.

    `counts` (k,) are responses by predicted behaviour, `confusion` (k, k) held-out responses by true (row) and predicted behaviour;
    its rows need not be integers, as rows that share a prompt are worth less than their number. With A the rows' shares and q those
    of the counts, p = A⁻ᵀ q. A and q are drawn from their Dirichlet posteriors; the estimate is the mean of the draws, each moved to the
    nearest point where no share is negative (of five ways the one whose entropy had the least bias and error). The interval of a share
    is that of the draws before they were moved, cut to 0 to 1; that of the entropy is of the draws after it.

    Raises:
        ValueError: there is nothing to count, or the confusion is no table of this size.
    """
    _total(counts)
    k = len(counts)
    if confusion.shape != (k, k) or not np.isfinite(confusion).all() or (confusion < 0).any():
        raise ValueError(f"the confusion must be {k} rows of {k} counts, none negative")
    generator = np.random.default_rng(seed)
    drawn = generator.standard_gamma(np.broadcast_to(confusion + PSEUDOCOUNT, (draws, k, k)))
    rates = drawn / drawn.sum(axis=-1, keepdims=True)
    predicted = generator.dirichlet(counts + PSEUDOCOUNT, size=draws)
    raw = np.linalg.solve(np.swapaxes(rates, -1, -2), predicted[..., None])[..., 0]
    nearest = to_simplex(raw)
    shares = nearest.mean(axis=0)
    low, high = np.quantile(raw, _ENDS, axis=0)
    least, most = np.quantile(plug_in(nearest), _ENDS)
    return Estimate(
        shares=_around(shares, np.clip(low, 0, 1), np.clip(high, 0, 1)),
        entropy=_around(plug_in(shares)[None], least[None], most[None])[0],
    )


def from_moments(shares: Floats, covariance: Floats, *, near: Floats) -> Estimate:
    """Makes an estimate of shares (k,) that sum to 1 and the covariance (k, k) of their error.

    Shares: Wilson's interval (1927) at the number of responses that would give this variance, as surveys do it (Franco et al. 2019).
    Entropy: plug-in less its bias -½ Σ Vᵢᵢ/pᵢ, with the variance of the delta method, (ln p)ᵀ V ln p; the interval is that of
    the gamma distribution with these moments. `near` (k,) are the shares, none 0, at which p is taken in these formulas.
    """
    variances = np.diag(covariance)
    nearest = to_simplex(shares)
    corrected = float(plug_in(nearest) + 0.5 * (variances / near).sum())
    surprise = -np.log(near)
    most = float(np.log(len(shares)))
    value = min(corrected, most)
    low, high = gamma_quantiles(value, max(float(surprise @ covariance @ surprise), 0.0))
    return Estimate(
        shares=_wilson(nearest, near, variances),
        entropy=Interval(value, min(max(low, 0.0), value), max(min(high, most), value)),
    )


def smoothed(shares: Floats, n: int) -> Floats:
    """Returns the shares (k,) of n responses with 0.3 more in each behaviour, so that none is 0: the prior of `stream.core.entropy`."""
    moved: Floats = (n * shares + PSEUDOCOUNT) / (n + PSEUDOCOUNT * len(shares))
    return moved


def plug_in(shares: Floats) -> Floats:
    """Returns -Σ p ln p over the last axis."""
    positive = np.where(shares > 0, shares, 1.0)
    terms: Floats = -(positive * np.log(positive)).sum(axis=-1) + 0.0
    return terms


def to_simplex(points: Floats) -> Floats:
    """Returns the nearest points (…, k) whose parts are not negative and sum to 1 (Duchi et al. 2008, figure 1).

    Examples:
        >>> to_simplex(np.array([0.5, 0.5])).tolist(), to_simplex(np.array([1.2, -0.2])).tolist()
        ([0.5, 0.5], [1.0, 0.0])
    """
    falling = -np.sort(-points, axis=-1)
    excess = np.cumsum(falling, axis=-1) - 1
    ranks = np.arange(1, points.shape[-1] + 1)
    kept = (falling > excess / ranks).sum(axis=-1)[..., None]
    level = np.take_along_axis(excess, kept - 1, axis=-1) / kept
    nearest: Floats = np.maximum(points - level, 0)
    return nearest


_ENDS = (0.025, 0.975)


def _total(counts: Integers) -> int:
    n = int(counts.sum())
    if n < 1 or (counts < 0).any():
        raise ValueError("an estimate needs counts of at least one response, none negative")
    return n


def _around(values: Floats, low: Floats, high: Floats) -> tuple[Interval, ...]:
    """Intervals that hold their values, also where the value was moved to the edge of what is possible."""
    parts = zip(values.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(Interval(value, min(value, least), max(value, most)) for value, least, most in parts)


def _wilson(shares: Floats, near: Floats, variances: Floats) -> tuple[Interval, ...]:
    n = near * (1 - near) / variances
    centre = shares + Z95**2 / (2 * n)
    reach = Z95 * np.sqrt(shares * (1 - shares) / n + (Z95 / (2 * n)) ** 2)
    scale = 1 + Z95**2 / n
    return _around(shares, np.maximum((centre - reach) / scale, 0), np.minimum((centre + reach) / scale, 1))
