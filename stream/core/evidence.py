"""How far two sets of counts differ, category by category, in the streams that a rule watches."""

import math

import numpy as np
import numpy.typing as npt

from stream.core.detectors import Channel, Design
from stream.core.records import Severity
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

    The parts are n [p ln(p/q) - p + q], whose sum is n KL(p, q), where p is the distribution since the onset, and q is p with the streams
    that the channel watches put back to the reference: a change of the traffic mix is no part of a change of behaviour.
    """
    level, before = branch_shares(counts, design.side), branch_shares(reference, design.side)
    rows = np.array([stream in channel.streams for stream in design.streams])
    p = category_shares(level, design.side)
    q = category_shares(np.where(rows[:, None], before, level), design.side)
    parts = np.maximum(p * np.log(p / q) - p + q, 0.0)
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
    """Nats by which the last responses (k,) are likelier under the reference than under the level that an alarm was raised at."""
    before, then = branch_shares(reference, design.side), branch_shares(level, design.side)
    gain = 0.0
    for row, stream in enumerate(design.streams):
        if stream in channel.streams:
            for value, branch in enumerate((stream.down, stream.up)):
                gain += int(last[list(branch)].sum()) * math.log(before[row, value] / then[row, value])
    return gain


def parts_of_entropy(now: Counts1D, before: Counts1D) -> Shares1D:
    """Each category's part (k,) of the change of S between two windows, of -p ln p, with sum 1; parts may be negative."""
    change = _terms(now) - _terms(before)
    total = float(change.sum())
    parts: Shares1D = change / total if total else np.full(len(change), 1 / len(change))
    return parts


def _terms(counts: Counts1D) -> Shares1D:
    p = counts / max(int(counts.sum()), 1)
    return -p * np.log(np.where(p > 0, p, 1.0))
