"""What errors of a classifier do to the entropy of its labels, against the entropy of the true labels."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.metrics import Interval, interval, resampled, tables_by_group

WINDOWS = 50
"""As many as the paper's n."""

PROMPTS = 20
"""Prompts in one window; each is answered once."""

_SETS = 20
"""Sets of 50 windows whose mean correlation is reported: that of one set varies by 0.07 from seed to seed."""

_RESAMPLES = 100
_CONCENTRATION = 0.4

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class EntropyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Entropy of the true and of the predicted labels of the same rows, in nats, and how the two move together.

    `error` is |predicted - true| over all rows. `pearson` and `spearman` are correlations of the two entropies over
    `windows` samples of `prompts` prompts, the mean of 20 such sets; null where one of them never varies. Intervals (95 %)
    resample prompts.
    """

    true: float
    predicted: float
    difference_interval: Interval
    error: float
    windows: int
    prompts: int
    pearson: float | None
    pearson_interval: Interval | None
    spearman: float | None
    spearman_interval: Interval | None


def compare(
    truth: Integers, predicted: Integers, *, groups: Sequence[str], models: Sequence[str], labels: int
) -> EntropyFigures:
    """Returns the entropies of n ≥ 1 rows and their correlation over windows.

    A window draws how often each model answers (Dirichlet, 0.4), then prompts, then one model's answer to each: so windows
    differ in entropy as traffic of different models does. The correlation that the paper reports (n = 50) is Pearson's:
    the size of a change matters to a monitor, not only its rank; Spearman's shows that no single window makes it.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    _, model = np.unique(np.asarray(models), return_inverse=True)
    order = np.argsort(group, kind="stable")
    rows = _Rows(truth[order], predicted[order], group[order], model[order], labels)
    tables = tables_by_group(truth, predicted, group, labels)
    whole = tables.sum(axis=0)
    true, said = (float(entropy(whole.sum(axis=axis))) for axis in (1, 0))
    again_whole = resampled(tables, 1000)
    differences = entropy(again_whole.sum(axis=1)) - entropy(again_whole.sum(axis=2))
    rng = np.random.default_rng(0)
    count = len(tables)
    once = np.mean([rows.correlations(np.arange(count), rng) for _ in range(_SETS)], axis=0)
    again = np.array([rows.correlations(rng.integers(0, count, count), rng) for _ in range(_RESAMPLES)])
    known = not np.isnan(once).any() and not np.isnan(again).all(axis=0).any()
    return EntropyFigures(
        true=round(true, 4),
        predicted=round(said, 4),
        difference_interval=interval(differences),
        error=round(abs(said - true), 4),
        windows=WINDOWS,
        prompts=min(PROMPTS, count),
        pearson=round(float(once[0]), 4) if known else None,
        pearson_interval=interval(again[:, 0]) if known else None,
        spearman=round(float(once[1]), 4) if known else None,
        spearman_interval=interval(again[:, 1]) if known else None,
    )


def entropy(counts: Integers) -> Floats:
    """Returns the plug-in entropy -Σ p ln p, in nats, of counts (…, k) that are not all 0."""
    shares = counts / counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.abs((shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1)))


class _Rows(msgspec.Struct, frozen=True):
    """Rows in the order of their groups."""

    truth: Integers
    predicted: Integers
    group: Integers
    model: Integers
    labels: int

    def correlations(self, prompts: Integers, rng: np.random.Generator) -> tuple[float, float]:
        """Returns Pearson's and Spearman's correlation of the entropies of windows drawn from `prompts` (group numbers)."""
        starts = np.searchsorted(self.group, np.arange(self.group[-1] + 1))
        # The row with the largest log weight plus Gumbel noise is one drawn in proportion to the weights.
        mixes = rng.dirichlet(np.full(int(self.model.max()) + 1, _CONCENTRATION), WINDOWS)
        scores = np.log(np.maximum(mixes, 1e-300))[:, self.model] + rng.gumbel(size=(WINDOWS, len(self.model)))
        best = np.maximum.reduceat(scores, starts, axis=1)
        answers = np.nonzero(scores == best[:, self.group])[1].reshape(WINDOWS, len(starts))
        places = rng.random((WINDOWS, len(prompts))).argsort(axis=1)[:, :PROMPTS]
        chosen = np.take_along_axis(answers, prompts[places], axis=1)
        names = np.arange(self.labels)
        pairs = entropy(
            np.array([(side[chosen][:, :, None] == names).sum(axis=1) for side in (self.truth, self.predicted)])
        )
        return _pearson(pairs), _pearson(np.array([_ranks(one) for one in pairs]))


def _pearson(pairs: Floats) -> float:
    return float(np.asarray(np.corrcoef(pairs))[0, 1]) if pairs.std(axis=1).min() > 1e-12 else float("nan")


def _ranks(values: Floats) -> Floats:
    """Returns ranks, equal values sharing their mean rank."""
    _, place, counts = np.unique(values.round(12), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], np.float64)
