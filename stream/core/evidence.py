"""How far two sets of counts differ, category by category, in the streams that a rule watches."""

import math

import numpy as np
import numpy.typing as npt

from stream.core.detectors import Channel, Design
from stream.core.events import Severity
from stream.core.kernel import compiled
from stream.core.reference import branch_shares, category_shares
from stream.core.taxonomy import RequestKind, Taxonomy

LARGE = 0.1
"""Total variation (half the sum of absolute changes of share) from which a drift is critical whatever moved."""

Counts1D = npt.NDArray[np.int64]
Shares1D = npt.NDArray[np.float64]


def parts_of_change(
    design: Design, channel: Channel, counts: Counts1D, reference: Counts1D
) -> tuple[Shares1D, Shares1D]:
    """Parts (k,) of the evidence for a change, all at least 0 with sum 1, and the changes of share (k,) that they come from.

    The evidence is n KL(p, q), where p is the distribution since the onset, and q is p with the streams that the channel watches put back
    to the reference: a change of the traffic mix is no part of a change of behaviour. By the chain rule it is the sum over streams of
    n P(met) KL of their branches. What a stream says belongs to the branch that grew, or to the other where only that one is a single
    category; within a branch of several, in proportion to p. So a fall that makes room for a rise is no part of its own.
    """
    level, before = branch_shares(counts, design.side), branch_shares(reference, design.side)
    p = category_shares(level, design.side)
    q = category_shares(np.where(channel.rows[:, None], before, level), design.side)
    parts = np.zeros(len(p))
    for stream in np.flatnonzero(channel.rows):
        side = design.side[stream]
        met = float(p[side >= 0].sum())
        rose = int(level[stream, 1] > before[stream, 1])
        if np.sum(side == rose) > 1 and np.sum(side == 1 - rose) == 1:
            rose = 1 - rose
        named = side == rose
        evidence = met * float(np.sum(level[stream] * np.log(level[stream] / before[stream])))
        parts[named] += max(evidence, 0.0) * p[named] / p[named].sum()
    total = float(parts.sum())
    return (parts / total if total > 0 else np.full(len(p), 1 / len(p))), p - q


def grew(parts: Shares1D, change: Shares1D) -> int:
    """Category with the largest part of the evidence among those whose share rose."""
    return int(np.argmax(np.where(change > 0, parts, -1.0)))


def severity(parts: Shares1D, change: Shares1D, taxonomy: Taxonomy) -> Severity:
    """Critical where what grew most is unwanted help with harmful requests, or where a tenth of all responses moved; else a warning."""
    grown = taxonomy.behaviours[grew(parts, change)]
    harm = grown.request is RequestKind.HARMFUL and not grown.wanted
    return Severity.CRITICAL if harm or 0.5 * float(np.abs(change).sum()) >= LARGE else Severity.WARNING


def lean(design: Design, channel: Channel, last: Counts1D, reference: Counts1D, level: Shares1D) -> float:
    """Nats by which the last responses (k,) are likelier to be more of the reference than more of the level that an alarm was raised at.

    Both are known from counts only: what is compared is the probability of the last responses under the Beta posterior of each stream.
    """
    return _lean(last, reference, level, design.side, channel.rows)


@compiled
def _lean(
    last: Counts1D,
    reference: Counts1D,
    level: Shares1D,
    side: npt.NDArray[np.int8],
    watched: npt.NDArray[np.bool_],
) -> float:
    gain = 0.0
    for stream in range(len(side)):
        if watched[stream]:
            new, before, then = np.zeros(2), np.full(2, 0.5), np.full(2, 0.5)
            for category in range(len(last)):
                taken = side[stream, category]
                if taken >= 0:
                    new[taken] += last[category]
                    before[taken] += reference[category]
                    then[taken] += level[category]
            gain += _more_of(new, before) - _more_of(new, then)
    return gain


@compiled
def _more_of(new: Shares1D, known: Shares1D) -> float:
    """Logarithm of the Beta-binomial probability of `new` (2,) in their order, when `known` (2,) are the Beta's parameters."""
    total = math.lgamma(known[0] + known[1]) - math.lgamma(known[0] + known[1] + new[0] + new[1])
    for side in range(2):
        total += math.lgamma(known[side] + new[side]) - math.lgamma(known[side])
    return total


def parts_of_entropy(now: Counts1D, before: Counts1D) -> Shares1D:
    """Each category's part (k,) of the change of S between two windows, of -p ln p, with sum 1; parts may be negative."""
    change = _terms(now) - _terms(before)
    total = float(change.sum())
    parts: Shares1D = change / total if total else np.full(len(change), 1 / len(change))
    return parts


def _terms(counts: Counts1D) -> Shares1D:
    p = counts / max(int(counts.sum()), 1)
    return -p * np.log(np.where(p > 0, p, 1.0))
