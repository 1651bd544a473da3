"""Shannon entropy of a stream of behaviours, in nats: value, correction, interval, and its split into traffic and behaviour.

Formulas, sources and measured bias and coverage: docs/statistics.md, "Entropy".
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.core.kernel import compiled
from stream.core.taxonomy import RequestKind, Taxonomy

PSEUDOCOUNT = 0.3
"""Dirichlet prior of the interval, per category: of 0.2 to 0.5 the one whose coverage stays closest to 95 % for n of 100 to 1,000."""
Z95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""
_NORMAL = NormalDist()
_LARGE = 1e6
"""From this many responses on the posterior variance equals its limit, varentropy / n, to the digits that are shown."""


class Measured(NamedTuple):
    """Plug-in entropy, jackknifed, 95 % interval, and the plug-in's two parts (their sum is `value`)."""

    value: float
    corrected: float
    low: float
    high: float
    traffic: float
    behaviour: float


def request_kinds(taxonomy: Taxonomy) -> npt.NDArray[np.int8]:
    """Request kind that each category implies, shape (k,): 0 neither, 1 benign, 2 harmful."""
    code = {None: 0, RequestKind.BENIGN: 1, RequestKind.HARMFUL: 2}
    return np.array([code[behaviour.request] for behaviour in taxonomy.behaviours], np.int8)


def entropy(counts: npt.ArrayLike) -> float:
    """Plug-in entropy -Σ p ln p of counts (k,), in nats; 0 for no counts.

    Examples:
        >>> round(entropy([1, 1, 0]), 6), entropy([7, 0]), entropy([0, 0])
        (0.693147, 0.0, 0.0)
    """
    return _plug_in(np.asarray(counts, np.int64))


def measure(counts: npt.NDArray[np.int64], kinds: npt.NDArray[np.int8]) -> Measured:
    """Entropy of counts (k,) with correction, interval and split; `kinds` as `request_kinds` gives them.

    Without counts everything is 0, and the interval is all that is possible, 0 to ln k.
    """
    return Measured(*_measure(counts, kinds))


def bound(counts: npt.NDArray[np.int64], probability: float) -> float:
    """The entropy that counts (k,) leave below them with this probability, of the posterior that the interval is of.

    Examples:
        >>> counts = np.array([86, 2, 6, 3, 3])
        >>> low = measure(counts, np.zeros(5, np.int8)).low
        >>> abs(bound(counts, 0.025) - low) < 1e-9
        True
    """
    return _bound(counts, _NORMAL.inv_cdf(probability))


@compiled
def _plug_in(counts: npt.NDArray[np.int64]) -> float:
    total, terms = 0, 0.0
    for count in counts:
        total += count
    for count in counts:
        if 0 < count < total:
            share = count / total
            terms -= share * math.log(share)
    return terms


@compiled
def _measure(
    counts: npt.NDArray[np.int64], kinds: npt.NDArray[np.int8]
) -> tuple[float, float, float, float, float, float]:
    n = counts.sum()
    most = math.log(len(counts))
    if n == 0:
        return 0.0, 0.0, 0.0, most, 0.0, 0.0
    value = _plug_in(counts)
    corrected = min(max(_jackknife(counts, n, value), 0.0), most)
    mean, variance = _posterior(counts, n)
    low, high = gamma_quantiles(mean, variance)
    traffic, behaviour = _split(counts, kinds)
    return value, corrected, min(max(low, 0.0), corrected), max(min(high, most), corrected), traffic, behaviour


@compiled
def _jackknife(counts: npt.NDArray[np.int64], n: int, value: float) -> float:
    """Jackknife (Zahl 1977): n times the value less n - 1 times the mean with one response left out, arranged so that nothing cancels."""
    corrected = value
    if n > 1:
        corrected -= (n - 1) * math.log1p(-1 / n)
    for count in counts:
        if count > 1:
            corrected += count / n * (count - 1) * math.log1p(-1 / count)
    return corrected


@compiled
def _posterior(counts: npt.NDArray[np.int64], n: int) -> tuple[float, float]:
    """Mean and variance of the entropy under a Dirichlet posterior (Wolpert & Wolf 1995)."""
    total = n + PSEUDOCOUNT * len(counts)
    mean, first, second = _digamma(total + 1), 0.0, 0.0
    for count in counts:
        alpha = count + PSEUDOCOUNT
        mean -= alpha / total * _digamma(alpha + 1)
        surprise = -math.log(alpha / total)
        first += alpha / total * surprise
        second += alpha / total * surprise * surprise
    if n > _LARGE:
        return mean, max(second - first * first, 0.0) / n
    above, spread = _digamma(total + 2), _trigamma(total + 2)
    scale = total * (total + 1)
    square, cross, diagonal = 0.0, 0.0, 0.0
    for count in counts:
        alpha = count + PSEUDOCOUNT
        one, two = _digamma(alpha + 1) - above, _digamma(alpha + 2) - above
        square += alpha * (alpha + 1) / scale * (two * two + _trigamma(alpha + 2) - spread)
        cross += alpha * one
        diagonal += alpha * alpha * (one * one - spread)
    # Σ over i ≠ j of a_i a_j (one_i one_j - spread) = (Σ a one)² - spread (Σ a)² - the terms with i = j.
    square += (cross * cross - spread * total * total - diagonal) / scale
    return mean, max(square - mean * mean, 0.0)


@compiled
def _bound(counts: npt.NDArray[np.int64], z: float) -> float:
    mean, variance = _posterior(counts, counts.sum())
    return min(max(_gamma_quantile(mean, variance, z), 0.0), math.log(len(counts)))


@compiled
def gamma_quantiles(mean: float, variance: float) -> tuple[float, float]:
    """2.5 % and 97.5 % quantiles of the gamma distribution of this mean and variance (Wilson & Hilferty 1931)."""
    return _gamma_quantile(mean, variance, -Z95), _gamma_quantile(mean, variance, Z95)


@compiled
def _gamma_quantile(mean: float, variance: float, z: float) -> float:
    """The same at any normal deviate z."""
    part = variance / (9 * mean * mean)
    return mean * float(max(1 - part + z * math.sqrt(part), 0.0)) ** 3


@compiled
def _split(counts: npt.NDArray[np.int64], kinds: npt.NDArray[np.int8]) -> tuple[float, float]:
    """Entropy of the request kind given that there is one, and of everything else (chain rule), from one set of counts."""
    by_kind = np.zeros(3, np.int64)
    for category in range(len(counts)):
        by_kind[kinds[category]] += counts[category]
    asked = by_kind[1] + by_kind[2]
    n = by_kind[0] + asked
    traffic = _term(by_kind[1], asked, n) + _term(by_kind[2], asked, n)
    behaviour = _term(by_kind[0], n, n) + _term(asked, n, n)
    for category in range(len(counts)):
        behaviour += _term(counts[category], by_kind[kinds[category]], n)
    return traffic, behaviour


@compiled
def _term(count: int, of: int, n: int) -> float:
    """What a branch adds to the entropy of n responses when `count` of the `of` that come to it take it."""
    return -count / n * math.log(count / of) if 0 < count < of else 0.0


@compiled
def _digamma(x: float) -> float:
    shift = 0.0
    while x < 10:
        shift -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))))
    return shift + math.log(x) - 0.5 / x - series


@compiled
def _trigamma(x: float) -> float:
    shift = 0.0
    while x < 10:
        shift += 1 / (x * x)
        x += 1
    inverse = 1 / (x * x)
    series = inverse * (1 / 6 - inverse * (1 / 30 - inverse * (1 / 42 - inverse / 30)))
    return shift + (1 + series + 0.5 / x) / x
