"""The window of the last responses, kept as panes of one stride each, and what is known of the time before it.

`stream.core.kernel` counts; this file reads its arrays. Cost and exactness do not depend on the window's length: totals
are integers that are added to and subtracted from. Times of a span are those of its first and last response in log order, so a late
response may carry a time outside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.core.events import WindowSpan
from stream.core.kernel import LAST, OPENED, PARTIAL, SEEN, STRIDE, WINDOW, Counts
from stream.core.records import Micros

RECENT = (64, 1024)
"""Least and most responses whose categories are kept one by one: as many as a stride has, so that a sudden change is dated well."""
EXAMPLES = 3
"""Responses of each category whose ids are kept."""
OLDER = 4
"""Buckets before the window, of 1, 2, 4, … windows: what happened then is dated more coarsely."""


class Stretch(NamedTuple):
    """A run of responses up to now: how many (`age`), and their counts by category (k,)."""

    age: int
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in the log whose time is known: the response `age` responses ago (1 is the last)."""

    age: int
    ts: Micros


def kept(counts: Counts) -> int:
    """Number of full panes in the window."""
    return min(int(counts.scalars[SEEN]) // int(counts.scalars[STRIDE]), len(counts.panes))


def span(counts: Counts, n: int) -> WindowSpan:
    """Times and sequence numbers of the window: its full panes and the open one, n responses together."""
    scalars = counts.scalars
    seen, panes = int(scalars[SEEN]), kept(counts)
    first = (
        int(counts.opened[(seen // int(scalars[STRIDE]) - panes) % len(counts.panes)])
        if panes
        else int(scalars[OPENED])
    )
    return WindowSpan(start=first, end=int(scalars[LAST]), n=n, first_seq=seen - n, last_seq=seen - 1)


def stretches(counts: Counts) -> list[Stretch]:
    """Stretches that are known exactly, shortest first: of each of the last responses, then from each kept boundary up to now."""
    seen = int(counts.scalars[SEEN])
    length = min(len(counts.recent), seen)
    last = counts.recent[np.arange(seen - 1, seen - 1 - length, -1) % len(counts.recent)]
    one_by_one = np.cumsum(last[:, None] == np.arange(counts.rows.shape[1]), axis=0)
    found = [Stretch(age, row) for age, row in enumerate(one_by_one, 1)]
    found.extend(stretch for stretch in _boundaries(counts) if stretch.age > length)
    return found


def since(counts: Counts, age: float) -> Stretch:
    """The stretch that is known exactly and whose length is nearest to `age` (the shorter one of two as near)."""
    return min(stretches(counts), key=lambda stretch: abs(stretch.age - age))


def time_of(counts: Counts, age: float) -> Micros:
    """When the response `age` responses ago was given, between the times that were kept as if responses came evenly."""
    younger = _Mark(1, int(counts.scalars[LAST]))
    for mark in _marks(counts):
        if mark.age >= age:
            if mark.age == younger.age:
                return mark.ts
            part = (age - younger.age) / (mark.age - younger.age)
            return round(younger.ts + part * (mark.ts - younger.ts))
        younger = mark
    return younger.ts


def _slots(counts: Counts) -> Iterator[int]:
    """Places of the full panes in the ring, oldest first."""
    end = int(counts.scalars[SEEN]) // int(counts.scalars[STRIDE])
    return (number % len(counts.panes) for number in range(end - kept(counts), end))


def full_panes(counts: Counts) -> npt.NDArray[np.int64]:
    """Counts (panes, k) of the window's full panes, oldest first."""
    return counts.panes[list(_slots(counts))]


def long_runs(counts: Counts) -> Iterator[Stretch]:
    """Stretches of the full panes kept, then of these and each bucket before them up to now, shortest first; for use at a stride."""
    total = counts.rows[WINDOW].copy()
    age = kept(counts) * int(counts.scalars[STRIDE])
    yield Stretch(age, total)
    for bucket in counts.older:
        if size := int(bucket.sum()):
            total, age = total + bucket, age + size
            yield Stretch(age, total)


def _boundaries(counts: Counts) -> Iterator[Stretch]:
    """Stretches from each kept boundary between panes and buckets up to now, shortest first."""
    total = counts.rows[PARTIAL].copy()
    age = int(total.sum())
    if age:
        yield Stretch(age, total)
    parts = [counts.panes[slot] for slot in reversed(list(_slots(counts)))]
    for part in (*parts, *counts.older):
        if size := int(part.sum()):
            total, age = total + part, age + size
            yield Stretch(age, total)


def _marks(counts: Counts) -> Iterator[_Mark]:
    """Responses whose time is kept, youngest first, but for the last one."""
    age = int(counts.rows[PARTIAL].sum())
    if age:
        yield _Mark(age, int(counts.scalars[OPENED]))
    for slot in reversed(list(_slots(counts))):
        age += int(counts.scalars[STRIDE])
        yield _Mark(age, int(counts.opened[slot]))
    for bucket, opened in zip(counts.older, counts.older_opened, strict=True):
        if size := int(bucket.sum()):
            age += size
            yield _Mark(age, int(opened))
