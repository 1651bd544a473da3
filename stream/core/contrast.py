"""Where a change sits among the values of an attribute: "98 % of the rise is on prompt_version 14".

For each attribute that is contrasted a monitor keeps its window and the time before it once more, by value: as many panes and buckets, so
that the responses since an onset are the same ones. What is said is defined at `contrasts`. What a change means is not said: a
value may carry it and not cause it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from stream.core.alerts import Finding, digits
from stream.core.events import Contrast, ContrastPart, Status, ValueKind
from stream.core.kernel import SEEN, STRIDE, Counts, make_room
from stream.core.settings import EngineSettings
from stream.core.taxonomy import Taxonomy
from stream.core.window import OLDER

KEPT = 8
"""Values of an attribute that are told apart at once."""
LONGEST = 64
"""Characters of a value; what is longer is cut, as in scored records."""
NAMED = 3
"""Values that an alert names for each attribute."""
PRIOR = 20
"""Responses of the reference that a value's own share before is mixed with: a value never seen before has the reference's share."""

_MISSING, _OTHER, _FIRST = 0, 1, 2
_ROWS = _FIRST + KEPT

_I64 = npt.NDArray[np.int64]


class Values:
    """What one attribute said: counts by value and category, over the same panes and buckets as the monitor's own.

    Rows of the counts are: no value, another value than those kept, and the `KEPT` values in `names` ("": a free place). A new value takes
    a free place, or that of a value that none of the window's responses has, whose counts go to the others; else it is one of the others
    itself. `recent` are the rows of the last responses.
    """

    def __init__(self, buffer: _I64, recent: npt.NDArray[np.uint8], panes: int) -> None:
        self.names = [""] * KEPT
        self.recent = recent
        counts = buffer.reshape(1 + panes + OLDER, _ROWS, -1)
        self.partial, self.panes, self.older = counts[0], counts[1 : 1 + panes], counts[1 + panes :]
        self._crowded = False

    def count(self, values: Sequence[str | None], categories: npt.NDArray[np.uint8], seen: int) -> None:
        """Count responses of one pane, of which `seen` had come before; the counts of the monitor are ahead of these by as many."""
        places = {name: _FIRST + place for place, name in enumerate(self.names) if name}
        partial, recent = self.partial, self.recent
        for at, (value, category) in enumerate(zip(values, categories.tolist(), strict=True), seen):
            if not value:
                row = _MISSING
            else:
                name = value[:LONGEST]
                row = places.get(name, _OTHER)
                if row == _OTHER and not self._crowded:
                    row = self._place(name)
                    places = {name: _FIRST + place for place, name in enumerate(self.names) if name}
            partial[row, category] += 1
            recent[at % len(recent)] = row

    def close_pane(self, counts: Counts) -> None:
        """Move the open pane into the window, as the kernel does with the monitor's own."""
        stride, panes = int(counts.scalars[STRIDE]), len(self.panes)
        before = int(counts.scalars[SEEN]) // stride - 1
        slot = before % panes
        if before >= panes:
            flat = self.older.reshape(OLDER, -1)
            make_room(stride, stride * panes, flat, np.zeros(OLDER, np.int64))
            self.older[0] += self.panes[slot]
        self.panes[slot] = self.partial
        self.partial[:] = 0
        self._crowded = False

    def name(self, row: int) -> tuple[ValueKind, str | None]:
        """What a row of the counts stands for."""
        if row == _MISSING:
            return ValueKind.MISSING, None
        return (ValueKind.OTHER, None) if row == _OTHER else (ValueKind.VALUE, self.names[row - _FIRST])

    def split(self, counts: Counts, age: int, most: int) -> tuple[_I64, _I64]:
        """Counts (rows, k) of the last responses, and of those before them.

        The first are a stretch that is known exactly, the one whose length is nearest to `age`; the second what is kept before it of the
        last `most` responses, up to the last boundary that is known.
        """
        seen = int(counts.scalars[SEEN])
        length = min(len(self.recent), seen)
        totals = [np.zeros_like(self.partial), *self._boundaries(counts)]
        long = min(totals, key=lambda total: abs(int(total.sum()) - age))
        if age <= length:
            after = np.zeros_like(self.partial)
            places = np.arange(seen - 1, seen - 1 - age, -1)
            np.add.at(after, (self.recent[places % len(self.recent)], counts.recent[places % len(counts.recent)]), 1)
        elif abs(length - age) <= abs(int(long.sum()) - age):
            return self.split(counts, length, most)
        else:
            after = long
        known = [total for total in totals if int(after.sum()) <= int(total.sum()) <= most]
        return after, (known[-1] - after if known else np.zeros_like(after))

    def _boundaries(self, counts: Counts) -> Iterator[_I64]:
        """Counts from each kept boundary between panes and buckets up to now, shortest first."""
        total = self.partial.copy()
        yield total
        end = int(counts.scalars[SEEN]) // int(counts.scalars[STRIDE])
        kept = min(end, len(self.panes))
        parts = [self.panes[number % len(self.panes)] for number in range(end - 1, end - kept - 1, -1)]
        for part in (*parts, *self.older):
            if part.any():
                total = total + part
                yield total

    def _place(self, name: str) -> int:
        """The row of a value that has none: a free one, that of an idle value, or the one for all others."""
        idle = np.flatnonzero(self.partial[_FIRST:].sum(axis=1) + self.panes[:, _FIRST:].sum(axis=(0, 2)) == 0)
        free = [place for place in idle.tolist() if not self.names[place]] or idle.tolist()
        if not free:
            self._crowded = True
            return _OTHER
        row = _FIRST + free[0]
        self.older[:, _OTHER] += self.older[:, row]
        self.older[:, row] = 0
        self.recent[self.recent == row] = _OTHER
        self.names[free[0]] = name
        return row


class Contrasting:
    """The attributes that a monitor contrasts; nothing, and no byte of state, where the settings name none.

    `counts` and `recent` hold the arrays of all; `begun` (1,), or (0,) where there are none, is the response from which on what is kept
    may be compared with: an alert that is over may have been carried by the same value.
    """

    def __init__(self, settings: EngineSettings, recent: int) -> None:
        n, panes = len(settings.contrast), settings.window // settings.stride
        size = (1 + panes + OLDER) * _ROWS * len(settings.taxonomy)
        self.counts = np.zeros((n, size), np.int64)
        self.recent = np.zeros((n, recent), np.uint8)
        self.begun = np.zeros(min(n, 1), np.int64)
        parts = zip(settings.contrast, self.counts, self.recent, strict=True)
        self._values = {name: Values(counts, last, panes) for name, counts, last in parts}

    def count(
        self,
        columns: Sequence[Sequence[str | None]],
        categories: npt.NDArray[np.uint8],
        part: tuple[int, int],
        seen: int,
    ) -> None:
        """Count the responses of a part of a record, after the kernel has, which `seen` came before; `columns` has their attributes."""
        start, end = part
        for values, column in zip(self._values.values(), columns, strict=True):
            values.count(column[start:end], categories[start:end], seen)

    def close_pane(self, counts: Counts) -> None:
        """Close the pane of each attribute, as the kernel has."""
        for values in self._values.values():
            values.close_pane(counts)

    def of(self, finding: Finding, counts: Counts, taxonomy: Taxonomy) -> tuple[Contrast, ...]:
        """The contrasts of an alert that opens; one that closes has none, and what was before it is compared with no more."""
        if finding.status is Status.FIRING:
            begun = int(self.begun.sum())
            return contrasts(finding, self._values, counts, begun=begun, taxonomy=taxonomy)
        if finding.false_alarm_interval is not None:
            self.forget(counts)
        return ()

    def forget(self, counts: Counts) -> None:
        """Compare with nothing before this response any more."""
        self.begun[:] = counts.scalars[SEEN]

    def names(self) -> list[str]:
        """The values that are told apart, `KEPT` for each attribute."""
        return [name for values in self._values.values() for name in values.names]

    def rename(self, names: Iterator[str]) -> None:
        """Put back what `names` gave."""
        for values in self._values.values():
            values.names = list(islice(names, KEPT))


def contrasts(
    finding: Finding, kept: Mapping[str, Values], counts: Counts, *, begun: int, taxonomy: Taxonomy
) -> tuple[Contrast, ...]:
    """On which value of each attribute the change of an alert sits, one contrast an attribute, where the alert is about a behaviour.

    The behaviour c is the alert's own or, where it has none, the one with the largest part of the evidence among those that rose. With x
    the responses of c among the n since the onset, and q its share in the reference, the excess is x - n q, which is negative where c fell.
    For each value v with x_v of n_v since the onset and y_v of m_v before, its share before is q_v = (y_v + PRIOR q) / (m_v + PRIOR), and

        excess = Σ_v (x_v - n_v q_v)  +  Σ_v n_v (q_v - q).

    A value's `share` is its term of the first sum over the excess: how far c rose where the value is the same. `mix` is the second sum over
    it: what follows from more responses with values that always had more of c. Shares and mix add up to 1; one may be negative or above 1.
    "Before" is what is kept since response `begun`, 16 windows at most; a value without any then is judged by the reference (q_v = q).

    Given are the `NAMED` values with the largest shares, equal ones in the order in which they are kept.
    """
    subject = _subject(finding)
    if subject is None:
        return ()
    n, seen = int(finding.counts.sum()), int(counts.scalars[SEEN])
    reference = int(finding.reference_counts[subject]) / max(int(finding.reference_counts.sum()), 1)
    found = []
    for attribute, values in kept.items():
        after, before = values.split(counts, n, seen - begun)
        excess = int(after[:, subject].sum()) - int(after.sum()) * reference
        if excess:
            own, mix = _shares(after, before, subject, reference)
            order = [row for row in np.argsort(-own / excess, kind="stable").tolist() if after[row].any()]
            parts = (_part(values, row, float(own[row]) / excess, (after, before), subject) for row in order[:NAMED])
            found.append(
                Contrast(
                    attribute=attribute,
                    category=taxonomy.names[subject],
                    n=int(after.sum()),
                    mix=digits(mix / excess),
                    parts=tuple(parts),
                )
            )
    return tuple(found)


def _subject(finding: Finding) -> int | None:
    """The category that a finding is about, None where it is about none."""
    if finding.category is not None:
        return finding.category
    now = finding.counts * max(int(finding.reference_counts.sum()), 1)
    rose = now > finding.reference_counts * int(finding.counts.sum())
    evidence = np.where(rose, finding.contribution, 0.0)
    return int(np.argmax(evidence)) if evidence.max() > 0 else None


def _shares(after: _I64, before: _I64, category: int, reference: float) -> tuple[npt.NDArray[np.float64], float]:
    """The two sums of `contrasts`: each value's term (rows,) of the first, and the second as a whole."""
    n = after.sum(axis=1)
    usual = (before[:, category] + PRIOR * reference) / (before.sum(axis=1) + PRIOR)
    return after[:, category] - n * usual, float((n * (usual - reference)).sum())


def _part(values: Values, row: int, share: float, split: tuple[_I64, _I64], category: int) -> ContrastPart:
    kind, value = values.name(row)
    after, before = split
    return ContrastPart(
        kind=kind,
        value=value,
        share=digits(share),
        count=int(after[row, category]),
        n=int(after[row].sum()),
        count_before=int(before[row, category]),
        n_before=int(before[row].sum()),
    )
