"""The reference: whether the responses that it was learned from were themselves at rest, and what it says of each behaviour.

A reference is learned from the first responses, and grows by every un-alarmed one after them, so that its probabilities are those of a
Krichevsky-Trofimov predictor: this is what makes the false-alarm rate hold although the reference was only learned (docs/statistics.md,
"Learned reference").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core.records import Micros
from stream.core.streams import Stream
from stream.core.taxonomy import Taxonomy

REFUSED = 1e-3
"""Of stable references at most this share is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A reference that was learned apart, from a log: whose responses, by whose labels, from when to when, how many of each."""

    monitor: str
    classifiers: tuple[str, ...]
    start: Micros
    end: Micros
    taxonomy: Taxonomy
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrest:
    """Where responses are not at rest: the stream whose share differs, its share before and after the cut, and the p-value of that."""

    stream: str
    cut: int
    before: float
    after: float
    p: float


def is_stable(cuts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], streams: Sequence[Stream]) -> bool:
    """Whether `unrest` finds none."""
    return unrest(cuts, counts, streams) is None


def unrest(cuts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], streams: Sequence[Stream]) -> Unrest | None:
    """The first watched stream and cut before and after which the responses differ more than chance explains, None if there is none.

    `cuts` (cuts, k) are counts up to each cut, `counts` (k,) those of all. Each stream and cut is one exact test of Fisher; Bonferroni's
    bound over all of them keeps the share of stable references refused at or under `REFUSED`, whatever their probabilities.
    """
    tests = len(cuts) * len(streams)
    for stream in streams:
        up, down = list(stream.up), list(stream.down)
        for before in cuts:
            risen, met = int(before[up].sum()), int(before[up].sum() + before[down].sum())
            all_risen, all_met = int(counts[up].sum()), int(counts[up].sum() + counts[down].sum())
            p = fisher(risen, met, all_risen, all_met)
            if p * tests <= REFUSED:
                return Unrest(
                    stream=stream.name,
                    cut=int(before.sum()),
                    before=risen / max(met, 1),
                    after=(all_risen - risen) / max(all_met - met, 1),
                    p=p,
                )
    return None


def fisher(risen: int, met: int, all_risen: int, all_met: int) -> float:
    """Two-sided p-value of `risen` of the first `met`, given `all_risen` of `all_met` and any order equally likely.

    Twice the smaller tail of the hypergeometric distribution, at most 1: never below the chance of a result as far out.

    Examples:
        >>> round(fisher(3, 3, 3, 6), 12)  # 2 * C(3,3) C(3,0) / C(6,3)
        0.1
        >>> fisher(0, 0, 0, 0)
        1.0
    """
    rises = _upper_tail(risen, met, all_risen, all_met)
    falls = _upper_tail(met - risen, met, all_met - all_risen, all_met)
    return min(1.0, 2 * min(rises, falls))


def _upper_tail(x: int, draws: int, marked: int, total: int) -> float:
    """Chance of x or more marked ones among `draws` of `total`, terms from x up until they no longer count."""
    term = math.exp(_log_choose(marked, x) + _log_choose(total - marked, draws - x) - _log_choose(total, draws))
    tail = term
    for value in range(x, min(draws, marked)):
        term *= (marked - value) * (draws - value) / ((value + 1) * (total - marked - draws + value + 1))
        tail += term
        if term < 1e-18 * tail:
            break
    return tail


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def branch_shares(
    counts: npt.NDArray[np.int64] | npt.NDArray[np.float64], side: npt.NDArray[np.int8]
) -> npt.NDArray[np.float64]:
    """Probabilities (s, 2) of each stream's lower and upper branch, (count + 1/2) / (n + 1), from counts (k,) and `side` (s, k)."""
    branches = np.stack([(side == value) @ counts for value in (0, 1)], axis=1) + 0.5
    shares: npt.NDArray[np.float64] = branches / branches.sum(axis=1, keepdims=True)
    return shares


def category_shares(shares: npt.NDArray[np.float64], side: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """Probabilities (k,) of the categories as products of those of the branches (s, 2) on their way."""
    down, up = shares[:, :1], shares[:, 1:]
    product: npt.NDArray[np.float64] = np.where(side == 1, up, np.where(side == 0, down, 1.0)).prod(axis=0)
    return product
