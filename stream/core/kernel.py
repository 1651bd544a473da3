"""The loop that runs once a response: window, reference and Shiryaev-Roberts sums, compiled by numba.

Works in place on the arrays it is given and keeps nothing. Compiled without `fastmath`, and response by response, so that results are the
same wherever a batch was cut. Shapes: k categories, s streams, c channels (rules that judge the distribution), a alternatives of all
channels together, g groups of alternatives.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

FULL_PANE, LEARNED, ALARM, REBUILD = 1, 2, 4, 8
"""Bits of a code: a pane is full; the reference has its target; channel 0 alarms; its table is due. The last two again a channel on."""

SEEN, LEARNT, STRIDE, TARGET, OPENED, LAST = range(6)
"""Places in `Counts.scalars`: responses so far; of them in this attempt at learning (-1 once learned); pane size; responses to learn;
time of the open pane's first response; time of the last response."""
PARTIAL, PREVIOUS, WINDOW, MOMENT = range(4)
"""Rows of `Counts.rows`: the open pane; full panes one stride ago; full panes kept; the same weighted by position 0, 1, …"""

LARGEST = 1e250
"""Cap on a sum: far above any threshold, so it decides nothing, and finite."""

_F = TypeVar("_F", bound=Callable[..., object])
_I64 = npt.NDArray[np.int64]
_F64 = npt.NDArray[np.float64]


def compiled(function: _F) -> _F:
    """The same function, compiled on its first call and cached on disk where that is possible.

    It may use only what stands in its own file: the cache is thrown away when that file changes, but not when another one does.
    """
    return cast("_F", njit(cache=True)(function))


class Counts(NamedTuple):
    """What was counted: `scalars` (6,), `rows` (4, k), `panes` (window / stride, k) as a ring with the times `opened` at which each began.

    `older` (levels, k) and `older_opened` are what left the window, in buckets of doubling length; `recent` uint8 is a ring of the last
    categories; `cuts` (3, k) are the counts at each quarter of the learning; `latest` (k, examples) are the places in the present record
    of each category's last responses, youngest first, -1 where there are none.
    """

    scalars: _I64
    rows: _I64
    panes: _I64
    opened: _I64
    older: _I64
    older_opened: _I64
    recent: npt.NDArray[np.uint8]
    cuts: _I64
    latest: _I64


class Belief(NamedTuple):
    """What was concluded: per channel its reference `counts` (c, k), their sum `size` (c,), and the same by `branch` (c, s, 2: down, up).

    `firing` (c,) is 0 or 1, `statistic` (c,) the last one, `begun` (c,) the first response that it rests on. `sums` (a,) are those of the
    alternatives.
    """

    counts: _I64
    size: _I64
    branch: _F64
    firing: _I64
    statistic: _F64
    sums: _F64
    begun: _I64


class Plan(NamedTuple):
    """What is looked for: `likelihood` (k, a), `prior` (a,), `weight` (a,), `ceiling` (a,), `group` (a,), `moves` (g, s), `side` (s, k).

    A sum at its ceiling takes up no more onsets: where a stream is hardly met, they would add up to an alarm without evidence.
    Channel i owns alternatives `first[i]` to `first[i + 1]` and groups `first_group[i]` to `first_group[i + 1]`, alarms when its statistic
    reaches `limit[i]`, and wants a new table when its reference reaches `rebuild_at[i]` responses.
    """

    likelihood: _F64
    prior: _F64
    weight: _F64
    ceiling: _F64
    group: _I64
    moves: npt.NDArray[np.int8]
    side: npt.NDArray[np.int8]
    first: _I64
    first_group: _I64
    limit: _F64
    rebuild_at: _F64


@compiled
def advance(  # noqa: C901, PLR0912, PLR0915 - one loop without calls: passing arrays on costs more than what is done with them
    categories: npt.NDArray[np.uint8], times: _I64, start: int, counts: Counts, belief: Belief, plan: Plan
) -> tuple[int, int]:
    """Count responses from `start` on until one needs attention; gives the index after it and a code (0: the end was reached)."""
    scalars, partial, recent, latest = counts.scalars, counts.rows[PARTIAL], counts.recent, counts.latest
    reference, size, branch, firing = belief.counts, belief.size, belief.branch, belief.firing
    sums, statistic = belief.sums, belief.statistic
    likelihood, prior, ceiling, belongs, moves, side = (
        plan.likelihood,
        plan.prior,
        plan.ceiling,
        plan.group,
        plan.moves,
        plan.side,
    )
    first, first_group, limit, rebuild_at = plan.first, plan.first_group, plan.limit, plan.rebuild_at
    channels, streams, stride = len(limit), len(side), scalars[STRIDE]
    inverse = np.ones(streams)
    factor = np.ones(len(moves))
    for index in range(start, len(categories)):
        category = categories[index]
        if scalars[SEEN] % stride == 0:
            scalars[OPENED] = times[index]
        scalars[LAST] = times[index]
        recent[scalars[SEEN] % len(recent)] = category
        scalars[SEEN] += 1
        partial[category] += 1
        for place in range(latest.shape[1] - 1, 0, -1):
            latest[category, place] = latest[category, place - 1]
        latest[category, 0] = index
        code = 0
        if scalars[LEARNT] >= 0:
            scalars[LEARNT] += 1
            for channel in range(channels):
                reference[channel, category] += 1
                size[channel] += 1
            code = _mark(counts, reference)
        else:
            for channel in range(channels):
                for stream in range(streams):
                    taken = side[stream, category]
                    inverse[stream] = 1.0
                    if taken >= 0:
                        met = branch[channel, stream, 0] + branch[channel, stream, 1]
                        inverse[stream] = (met + 1.0) / (branch[channel, stream, taken] + 0.5)
                for group in range(first_group[channel], first_group[channel + 1]):
                    factor[group] = 1.0
                    for stream in range(streams):
                        if moves[group, stream]:
                            factor[group] *= inverse[stream]
            for place in range(len(sums)):
                begun = sums[place] + (1.0 if sums[place] < ceiling[place] else 0.0)
                sums[place] = min(begun * (likelihood[category, place] * factor[belongs[place]]), LARGEST)
            for channel in range(channels):
                total = 0.0
                for place in range(first[channel], first[channel + 1]):
                    total += prior[place] * sums[place]
                statistic[channel] = total
                if firing[channel]:
                    continue
                if total >= limit[channel]:
                    code |= ALARM << (2 * channel)
                    continue
                reference[channel, category] += 1
                size[channel] += 1
                for stream in range(streams):
                    if side[stream, category] >= 0:
                        branch[channel, stream, side[stream, category]] += 1.0
                if size[channel] >= rebuild_at[channel]:
                    code |= REBUILD << (2 * channel)
        if scalars[SEEN] % stride == 0:
            _close_pane(counts)
            code |= FULL_PANE
        if code:
            return index + 1, code
    return len(categories), 0


@compiled
def _mark(counts: Counts, reference: _I64) -> int:
    """Keep the counts of a learning that has come to a quarter; say when it has come to its end."""
    learnt, target, cuts = counts.scalars[LEARNT], counts.scalars[TARGET], counts.cuts
    for cut in range(len(cuts)):
        if learnt == target * (cut + 1) // (len(cuts) + 1):
            for category in range(cuts.shape[1]):
                cuts[cut, category] = reference[0, category]
    return LEARNED if learnt == target else 0


@compiled
def _close_pane(counts: Counts) -> None:
    """Move the open pane into the window, and the pane that leaves the window into the older buckets."""
    scalars, rows, panes = counts.scalars, counts.rows, counts.panes
    before = scalars[SEEN] // scalars[STRIDE] - 1
    slot = before % len(panes)
    full = before >= len(panes)
    if full:
        _make_room(scalars[STRIDE], scalars[STRIDE] * len(panes), counts.older, counts.older_opened)
        if counts.older[0].sum() == 0:
            counts.older_opened[0] = counts.opened[slot]
    for category in range(panes.shape[1]):
        rows[PREVIOUS, category] = rows[WINDOW, category]
        if full:
            counts.older[0, category] += panes[slot, category]
            rows[WINDOW, category] -= panes[slot, category]
            rows[MOMENT, category] -= rows[WINDOW, category]
        panes[slot, category] = rows[PARTIAL, category]
        rows[WINDOW, category] += rows[PARTIAL, category]
        rows[MOMENT, category] += min(before, len(panes) - 1) * rows[PARTIAL, category]
        rows[PARTIAL, category] = 0
    counts.opened[slot] = scalars[OPENED]


@compiled
def _make_room(stride: int, window: int, older: _I64, older_opened: _I64) -> None:
    """Empty the youngest bucket into the next where a pane more would overfill it; bucket i holds 2^i windows, and the last is dropped."""
    if older[0].sum() + stride <= window:
        return
    last = 0
    while last + 1 < len(older) and older[last + 1].sum() + older[last].sum() > window << (last + 1):
        last += 1
    for level in range(last, -1, -1):
        if level + 1 < len(older) and older[level + 1].sum() == 0:
            older_opened[level + 1] = older_opened[level]
        for category in range(older.shape[1]):
            if level + 1 < len(older):
                older[level + 1, category] += older[level, category]
            older[level, category] = 0


@compiled
def tabulate(anchors: _I64, odds: _F64, channels: tuple[int, int], plan: Plan) -> None:
    """Write `likelihood` and `prior` of the channels from one to before another: shifts of `anchors` (c, k) by `odds` (a, s), 1 none.

    A branch's probability is (count + 1/2) / (n + 1). The prior is `weight` times KL^0.3, as larger changes deserve to be seen first.
    """
    side, likelihood, prior = plan.side, plan.likelihood, plan.prior
    streams, categories = side.shape
    share = np.empty((streams, 2))
    for channel in range(channels[0], channels[1]):
        _shares(anchors, channel, side, share)
        total = 0.0
        for place in range(plan.first[channel], plan.first[channel + 1]):
            divergence = 0.0
            for category in range(categories):
                present, shifted, unshifted = 1.0, 1.0, 1.0
                for stream in range(streams):
                    taken = side[stream, category]
                    if taken < 0:
                        continue
                    present *= share[stream, taken]
                    if plan.moves[plan.group[place], stream]:
                        rise = odds[place, stream]
                        unshifted *= share[stream, taken]
                        moved = share[stream, taken] / (share[stream, 0] + rise * share[stream, 1])
                        shifted *= rise * moved if taken else moved
                likelihood[category, place] = shifted
                ratio = shifted / unshifted
                if ratio != 1.0:
                    divergence += present * ratio * math.log(ratio)
            prior[place] = plan.weight[place] * max(divergence, 0.0) ** 0.3
            total += prior[place]
        for place in range(plan.first[channel], plan.first[channel + 1]):
            prior[place] /= total


@compiled
def _shares(anchors: _I64, channel: int, side: npt.NDArray[np.int8], share: _F64) -> None:
    """Write the probabilities (s, 2) of each stream's lower and upper branch."""
    for stream in range(len(side)):
        share[stream, 0] = 0.5
        share[stream, 1] = 0.5
        for category in range(side.shape[1]):
            if side[stream, category] >= 0:
                share[stream, side[stream, category]] += anchors[channel, category]
        met = share[stream, 0] + share[stream, 1]
        share[stream, 0] /= met
        share[stream, 1] /= met


@compiled
def derive(counts: Counts, belief: Belief, plan: Plan) -> None:
    """Recompute what follows from panes and reference counts: window totals, sizes and branches."""
    rows, panes = counts.rows, counts.panes
    end = counts.scalars[SEEN] // counts.scalars[STRIDE]
    kept = min(end, len(panes))
    for category in range(rows.shape[1]):
        rows[WINDOW, category] = 0
        rows[MOMENT, category] = 0
        for place in range(kept):
            count = panes[(end - kept + place) % len(panes), category]
            rows[WINDOW, category] += count
            rows[MOMENT, category] += place * count
    for channel in range(len(belief.size)):
        belief.size[channel] = 0
        for stream in range(len(plan.side)):
            belief.branch[channel, stream, 0] = 0.0
            belief.branch[channel, stream, 1] = 0.0
        for category in range(rows.shape[1]):
            belief.size[channel] += belief.counts[channel, category]
            for stream in range(len(plan.side)):
                if plan.side[stream, category] >= 0:
                    belief.branch[channel, stream, plan.side[stream, category]] += belief.counts[channel, category]
