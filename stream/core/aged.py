"""The window of the last hours instead of the last responses: panes of event time, under a watermark of the monitor's own.

The watermark is the largest time so far, but for a single response that leaps ahead by more than the window: it counts only when the next
one in the log leaps too, for one wrong clock would make all that follows late. It never goes back. A response whose pane is still in the
window is counted in it however late it comes; one that is later, or whose leap nobody followed, is counted as such and
stands in no window. All of them are judged by the rules that go by responses, in log order. Cost and state do not depend on the age.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream.core.events import Aside, WindowSpan
from stream.core.kernel import compiled
from stream.core.records import Micros

PANES = 60
"""Panes in the window, the one of the watermark included: the window is between 59 and 60 of them long."""
SECOND = 1_000_000
AGES = (SECOND, 366 * 86_400 * SECOND)
"""Shortest and longest window, in microseconds."""

_KNOWN, _WIDTH, _WATERMARK, _BEGUN, _OLDEST, _LATE, _AHEAD, _FULL, _LEAP, _LEAP_TS, _LEAP_SEQ = range(11)
"""Places in `Aged.scalars`: whether there is a watermark; microseconds of a pane; the watermark; time of the first response, and the
oldest one of any; responses too late, and those ahead alone; strides at which the window was full (2 is many); the category of a response
that leapt ahead (-1: none waits), its time, and its place in the monitor's log."""
_NOW, _BEFORE = range(2)

_I64 = npt.NDArray[np.int64]


class Aged(NamedTuple):
    """`panes` (PANES, k) as a ring by time, the first response counted in each (PANES,), and the totals (2, k) of the last two strides."""

    scalars: _I64
    panes: _I64
    firsts: _I64
    rows: _I64

    @property
    def window(self) -> _I64:
        """Counts (k,) at the last stride."""
        now: _I64 = self.rows[_NOW]
        return now

    @property
    def previous(self) -> _I64:
        """Counts (k,) at the stride before."""
        before: _I64 = self.rows[_BEFORE]
        return before

    @property
    def fulls(self) -> int:
        """Strides, up to now and in a row, at which the first response was older than the window; 2 is two or more."""
        return int(self.scalars[_FULL])

    @property
    def age(self) -> Micros:
        """Length of the window."""
        return PANES * int(self.scalars[_WIDTH])

    def take(self, categories: npt.NDArray[np.uint8], times: _I64, part: tuple[int, int], seen: int) -> None:
        """Count a part of a record, of whose responses `seen` came before."""
        start, end = part
        _take(categories[start:end], times[start:end], seen, self.scalars, self.panes, self.firsts)

    def turn(self) -> None:
        """Note the totals of a stride."""
        self.rows[_BEFORE] = self.rows[_NOW]
        self.rows[_NOW] = self.panes.sum(axis=0)
        if self.scalars[_WATERMARK] - self.scalars[_BEGUN] >= self.age:
            self.scalars[_FULL] = min(self.fulls + 1, 2)

    def span(self, n: int, seen: int) -> WindowSpan:
        """Times of the window, from its oldest pane's beginning (or the first response) to the watermark; n responses together."""
        scalars = self.scalars
        edge = (int(scalars[_WATERMARK]) // int(scalars[_WIDTH]) - PANES + 1) * int(scalars[_WIDTH])
        first = int(self.firsts[self.panes.any(axis=1)].min())
        start = max(edge, int(scalars[_OLDEST]))
        return WindowSpan(start=start, end=int(scalars[_WATERMARK]), n=n, first_seq=first, last_seq=seen - 1)

    def aside(self) -> Aside:
        """The responses that stand in no window."""
        return Aside(late=int(self.scalars[_LATE]), ahead=int(self.scalars[_AHEAD]))


def new_aged(age: Micros, categories: int) -> Aged:
    """A window of this age that holds nothing."""
    scalars = np.zeros(11, np.int64)
    scalars[_WIDTH], scalars[_LEAP] = -(-age // PANES), -1
    zeros = np.zeros((PANES + 2, categories), np.int64)
    return Aged(scalars=scalars, panes=zeros[:PANES], firsts=np.zeros(PANES, np.int64), rows=zeros[PANES:])


@compiled
def _take(categories: npt.NDArray[np.uint8], times: _I64, seen: int, scalars: _I64, panes: _I64, firsts: _I64) -> None:
    for index in range(len(categories)):
        category, ts, seq = int(categories[index]), int(times[index]), seen + index
        if not scalars[_KNOWN]:
            scalars[_KNOWN] = 1
            scalars[_WATERMARK], scalars[_BEGUN], scalars[_OLDEST] = ts, ts, ts
        ahead = ts - scalars[_WATERMARK] > len(panes) * scalars[_WIDTH]
        if ahead and scalars[_LEAP] < 0:
            scalars[_LEAP], scalars[_LEAP_TS], scalars[_LEAP_SEQ] = category, ts, seq
            continue
        if scalars[_LEAP] >= 0 and not ahead:
            scalars[_AHEAD] += 1
        elif ahead:
            # Two that leapt: the watermark goes to the nearer one, and the farther one may be a leap from there.
            if scalars[_LEAP_TS] > ts:
                category, scalars[_LEAP] = scalars[_LEAP], category
                ts, scalars[_LEAP_TS] = scalars[_LEAP_TS], ts
                seq, scalars[_LEAP_SEQ] = scalars[_LEAP_SEQ], seq
            _advance(scalars[_LEAP_TS], scalars, panes)
            _put(scalars[_LEAP], scalars[_LEAP_TS], scalars[_LEAP_SEQ], scalars, panes, firsts)
            if ts - scalars[_WATERMARK] > len(panes) * scalars[_WIDTH]:
                scalars[_LEAP], scalars[_LEAP_TS], scalars[_LEAP_SEQ] = category, ts, seq
                continue
        scalars[_LEAP] = -1
        if ts > scalars[_WATERMARK]:
            _advance(ts, scalars, panes)
        _put(category, ts, seq, scalars, panes, firsts)


@compiled
def _advance(ts: int, scalars: _I64, panes: _I64) -> None:
    """Move the watermark, and empty the panes that it enters."""
    old, new = scalars[_WATERMARK] // scalars[_WIDTH], ts // scalars[_WIDTH]
    for pane in range(max(old, new - len(panes)) + 1, new + 1):
        panes[pane % len(panes), :] = 0
    scalars[_WATERMARK] = ts


@compiled
def _put(category: int, ts: int, seq: int, scalars: _I64, panes: _I64, firsts: _I64) -> None:
    """Count a response in its pane, or as late where that is gone."""
    pane = ts // scalars[_WIDTH]
    if pane <= scalars[_WATERMARK] // scalars[_WIDTH] - len(panes):
        scalars[_LATE] += 1
        return
    slot = pane % len(panes)
    empty = True
    for each in range(panes.shape[1]):
        empty = empty and panes[slot, each] == 0
    firsts[slot] = seq if empty else min(firsts[slot], seq)
    panes[slot, category] += 1
    scalars[_OLDEST] = min(scalars[_OLDEST], ts)
