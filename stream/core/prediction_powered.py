"""Shares and entropy from a classifier's probabilities on all responses and people's labels on a stratified sample of them.

Prediction-powered inference: Angelopoulos et al. 2023 (Science 382), with the power tuning of PPI++ (Angelopoulos, Duchi & Zrnic 2023)
and in strata (Fisch et al. 2024). For a sample drawn from the responses themselves it is the difference estimator of surveys (Cochran
1977, chapter 7). Formulas and measured coverage: docs/statistics.md, "Corrected for classifier error".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from stream.core.correction import Estimate, Floats, Integers, from_moments, smoothed

PSEUDOLABELS = 0.5
"""Labels that each stratum is taken to have had beside the real ones, spread like its probabilities; in variances only, never in values.

Without them a stratum whose few labels agree would count as known for certain. Of 0.25, 0.5, 1 and 2 the one whose coverage
of the entropy stays closest to 95 % for 100 to 500 labels.
"""


_ROUNDING = 1e-12
"""Variance below which probabilities are all the same, but for rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stratum:
    """Responses among which labels were drawn at random: how many there are, the mean (k,) of their probabilities, and the sample.

    `probs` (n, k) and `labels` (n,) are the probabilities and people's labels (categories) of the sampled ones.

    Raises:
        ValueError: the sample is empty or larger than the stratum.
    """

    size: int
    mean: Floats
    probs: Floats
    labels: Integers

    def __post_init__(self) -> None:
        if not 1 <= len(self.labels) <= self.size:
            raise ValueError(
                f"a stratum of {self.size} responses needs 1 to {self.size} labels, got {len(self.labels)}"
            )


class PredictionPowered(NamedTuple):
    """The estimate, and the weight (0 to 1) that the probabilities were given within strata: 0 where they tell nothing there."""

    estimate: Estimate
    tuning: float


def prediction_powered(strata: Sequence[Stratum]) -> PredictionPowered:
    """Estimates the shares of true behaviours in traffic like these responses.

    With W the strata's shares of the N responses, f the probabilities, y the labels as 0 and 1, and means over a stratum's sample:
    θ = Σ W·[ȳ + λ(F̄ - f̄)], V = Σ W²(1 - n/size)·Cov(y - λf)/n + (diag θ - θθᵀ)/N. λ minimises the trace of the first part.

    The interval of a behaviour that no label names begins at 0: probabilities alone do not show that it occurs.

    Raises:
        ValueError: there is no stratum.
    """
    if not strata:
        raise ValueError("an estimate needs at least one stratum")
    total = sum(stratum.size for stratum in strata)
    k = len(strata[0].mean)
    tuning = _tuning(strata)
    shares, near, covariance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for stratum in strata:
        weight = stratum.size / total
        labels = np.eye(k)[stratum.labels]
        shares += weight * (labels.mean(axis=0) + tuning * (stratum.mean - stratum.probs.mean(axis=0)))
        expected = (labels.sum(axis=0) + PSEUDOLABELS * stratum.mean) / (len(labels) + PSEUDOLABELS)
        near += weight * expected
        covariance += weight**2 * _of_mean(stratum, labels, tuning)
    near = smoothed(near, total)
    covariance += (np.diag(near) - np.outer(near, near)) / total
    return PredictionPowered(_open_below(from_moments(shares, covariance, near=near), strata), tuning)


def _open_below(estimate: Estimate, strata: Sequence[Stratum]) -> Estimate:
    named = {int(label) for stratum in strata for label in stratum.labels}
    shares = (each if at in named else each._replace(low=0.0) for at, each in enumerate(estimate.shares))
    return replace(estimate, shares=tuple(shares))


def _tuning(strata: Sequence[Stratum]) -> float:
    """λ = Σ a·Σᵢ Cov(yᵢ, fᵢ) / Σ a·Σᵢ Var(fᵢ) with a = size²(1 - n/size)/n, cut to 0 to 1.

    The factor 1 + n/N of PPI++ is absent, because the labelled responses are among the N.
    """
    together = alone = scale = 0.0
    for stratum in strata:
        n = len(stratum.labels)
        if n < 2:
            continue
        labels = np.eye(len(stratum.mean))[stratum.labels]
        probs = stratum.probs - stratum.probs.mean(axis=0)
        factor = stratum.size**2 * (1 - n / stratum.size) / n / (n - 1)
        together += factor * float((labels * probs).sum())
        alone += factor * float((probs * probs).sum())
        scale += factor * n
    return min(max(together / alone, 0.0), 1.0) if alone > _ROUNDING * scale else 0.0


def _of_mean(stratum: Stratum, labels: Floats, tuning: float) -> Floats:
    """Covariance of the mean of y - λf over the sample, as if the pseudo-labels were among it."""
    n, k = labels.shape
    residuals = np.concatenate([labels - tuning * stratum.probs, np.eye(k) - tuning * stratum.mean])
    weights = np.concatenate([np.ones(n), PSEUDOLABELS * stratum.mean])
    spread = np.cov(residuals, rowvar=False, aweights=weights, bias=True)
    covariance: Floats = (1 - n / stratum.size) / max(n - 1, 1) * spread
    return covariance
