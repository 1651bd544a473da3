"""Entropy of probes: for each prompt, for the whole set, how exact it is, and what makes it vary. In nats throughout.

A probe's design is stratified: each prompt is asked a fixed number of times, so prompts differ for good and only the answers to one prompt
vary by chance. Counts are tables of shape (prompts, behaviours).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream.core.entropy import Z95, entropy, measure
from stream.core.events import EntropyEstimate

Table = npt.NDArray[np.int64]
"""Answers by prompt and behaviour, shape (prompts, behaviours)."""

_PRIOR = 0.5
"""Jeffreys: pseudo-answers per cell of a confusion table."""
_SEEN, _UNSEEN = 0.4, 0.2
"""Pseudo-answers of one prompt for a behaviour that was seen, and for one that was not."""
_DRAWS = 4_000
_TAIL = 0.02
"""Share of the posterior left out on each side; 2.5 % would cover 93 to 94 % instead of 95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """The set as one: entropy of all its answers together, and how much of it is within prompts (`within`) and between them (`between`).

    `within` is the mean entropy of a prompt; `between`, the rest, says how differently prompts are answered (the Jensen-Shannon
    divergence of the prompts). Their sum is `entropy.value`. `error` is the standard error of `entropy.corrected`.
    """

    entropy: EntropyEstimate
    within: float
    between: float
    error: float
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Variance of one model's measured entropy (nats²), by what causes it; `model` is the variance between models themselves."""

    sampling: float
    classifier: float
    model: float

    @property
    def shares(self) -> tuple[float, float, float]:
        """The parts as shares of their sum, in field order; NaN where nothing varies at all."""
        total = self.sampling + self.classifier + self.model
        if total == 0:
            return float("nan"), float("nan"), float("nan")
        return self.sampling / total, self.classifier / total, self.model / total


def of_prompt(counts: npt.NDArray[np.int64]) -> EntropyEstimate:
    """Returns the entropy of one prompt's answers, counts (behaviours,): plug-in, jackknifed, and a 95 % interval.

    Jackknife: Zahl 1977. Interval: 2 and 98 % of the entropy under a Dirichlet posterior (Wolpert and Wolf 1995), by draws of a fixed
    seed. Unlike in drift events its prior is smaller for a behaviour that was never seen, because most prompts are answered in one or two
    ways. Prior and tails are those whose measured coverage came nearest to 95 % at 100 answers; docs/sampling.md says where it holds.
    """
    found = measure(np.asarray(counts, np.int64), np.zeros(len(counts), np.int8))
    low, high = _interval(tuple(sorted(map(int, counts))))
    return EntropyEstimate(
        value=found.value,
        corrected=found.corrected,
        low=min(low, found.corrected),
        high=max(high, found.corrected),
    )


@lru_cache(maxsize=4096)
def _interval(counts: tuple[int, ...]) -> tuple[float, float]:
    """The interval of `of_prompt`, which does not depend on the order of the behaviours."""
    prior = [count + (_SEEN if count else _UNSEEN) for count in counts]
    drawn = np.random.default_rng(0).standard_gamma(prior, size=(_DRAWS, len(prior)))
    shares = drawn / drawn.sum(axis=1, keepdims=True)
    entropies = (shares * -np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    low, high = np.quantile(entropies, (_TAIL, 1 - _TAIL))
    return float(low), float(high)


def pool(table: Table) -> Pooled:
    """Returns the entropy of the set, each prompt weighing the same however often it was asked.

    With p̄ the mean of the prompts' shares, value = -Σ p̄ ln p̄. Its bias is -½ Σ_c Var(p̄_c)/p̄_c (second-order Taylor; for one prompt
    this is Miller and Madow's (m - 1)/2n), and its variance, to first order, Σ_p Var_p(ln p̄)/(k_p P²), both with the variance *within*
    prompts only: Cochran 1977, chapter 5. The 95 % interval is corrected ± 1.96 standard errors, cut at 0 and ln m.
    Prompts with fewer than two answers say nothing of their own variance and borrow the mean of the others'.

    Raises:
        ValueError: no prompt has two answers.
    """
    asked = table[table.sum(axis=1) > 0]
    sizes = asked.sum(axis=1)
    if not (sizes > 1).any():
        raise ValueError("pooling needs a prompt with two answers or more")
    shares = asked / sizes[:, None]
    mean = shares.mean(axis=0)
    seen = mean > 0
    value = _plug_in(mean)
    spread = _within(shares, sizes, np.where(seen, 1.0, 0.0)[None, :] * np.eye(len(mean)))
    bias = -0.5 * float((spread[seen] / mean[seen]).sum())
    surprise = np.where(seen, -np.log(np.where(seen, mean, 1.0)), 0.0)
    error = float(np.sqrt(_within(shares, sizes, surprise[None, :])[0]))
    most = float(np.log(len(mean)))
    corrected = min(max(value - bias, 0.0), most)
    within = float(np.mean([entropy(row) for row in asked]))
    return Pooled(
        entropy=EntropyEstimate(
            value=value,
            corrected=corrected,
            low=max(corrected - Z95 * error, 0.0),
            high=min(corrected + Z95 * error, most),
        ),
        within=within,
        between=max(value - within, 0.0),
        error=error,
        answers=int(sizes.sum()),
    )


def decompose(tables: list[Table], confusion: Table, *, draws: int, rng: np.random.Generator) -> Parts:
    """Returns how much of the variance of a measured entropy is sampling, how much the classifier, how much the models.

    `tables` has one table for each model (or trial) of a kind. `confusion` counts labelled answers by (label of the classifier, true
    label). Methods, one a part:

    - *sampling*: the mean of the squared standard errors of `pool`;
    - *classifier*: its rates of confusion are known only as well as the labelled answers show them. Each draw takes a table
      P(true | label) from its Dirichlet posterior (Jeffreys), moves the answers by it, and the variance between draws of the pooled
      entropy, averaged over models, is this part;
    - *model*: the sample variance between the models' entropies, less the sampling part that it contains (method of moments, as in
      DerSimonian and Laird 1986), not below 0.

    Raises:
        ValueError: fewer than two models.
    """
    if len(tables) < 2:
        raise ValueError(f"the part of the models needs at least two of them, got {len(tables)}")
    pooled = [pool(table) for table in tables]
    sampling = float(np.mean([each.error**2 for each in pooled]))
    between = float(np.var([each.entropy.corrected for each in pooled], ddof=1))
    return Parts(
        sampling=sampling,
        classifier=float(np.mean([_relabelled(table, confusion, draws, rng).var(ddof=1) for table in tables])),
        model=max(between - sampling, 0.0),
    )


def half_width(table: Table, k: int) -> float:
    """Returns half the width of the 95 % interval that `pool` would give, had each prompt been asked `k` times, in nats."""
    found = pool(table)
    asked = table.sum(axis=1)
    return Z95 * found.error * float(np.sqrt(asked[asked > 0].mean() / k))


def _plug_in(shares: npt.NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum()) + 0.0


def _within(
    shares: npt.NDArray[np.float64], sizes: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Variance of the prompts' mean score, one for each row of `scores` (rows, behaviours): that of the mean answer of each prompt."""
    first = shares @ scores.T
    second = shares @ (scores * scores).T
    many = sizes > 1
    unbiased = (second - first * first)[many] / (sizes[many, None] - 1)
    variances = np.empty_like(first)
    variances[many] = unbiased
    variances[~many] = (unbiased * sizes[many, None]).mean(axis=0)
    variance: npt.NDArray[np.float64] = np.clip(variances, 0.0, None).sum(axis=0) / len(sizes) ** 2
    return variance


def _relabelled(table: Table, confusion: Table, draws: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    sizes = table.sum(axis=1)
    mean = (table[sizes > 0] / sizes[sizes > 0, None]).mean(axis=0)
    moved = np.zeros((draws, len(mean)))
    for label, share in enumerate(mean):
        moved += share * rng.dirichlet(confusion[label] + _PRIOR, size=draws)
    return np.array([_plug_in(row) for row in moved])
