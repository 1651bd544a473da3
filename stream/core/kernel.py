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

FULL_PANE, FULL_BLOCK, LEARNED, DUE, ALARM = 1, 2, 4, 8, 16
"""Bits of a code: a pane or block is full; the reference has its target; the slow check is due; channel 0 alarms (i: `ALARM << i`)."""

SEEN, LEARNT, STRIDE, TARGET, OPENED, LAST, CLOSED, FILLED, ORIGIN, SINCE, SINCE_TS = range(11)
"""Places in `Counts.scalars`: responses so far; of them in this attempt at learning (-1 once learned); pane size; responses to learn;
time of the open pane's first response; time of the last response; blocks closed since learning; responses in the open block; where the
reference is from (`LEARNED_HERE`, `ACCEPTED` or `GIVEN`); the first response judged against it; the time of the response before."""
LEARNED_HERE, ACCEPTED, GIVEN = range(3)
"""Origins of a reference: the monitor's own responses, such a level that a person accepted, or a file. One from a file never grows."""
PARTIAL, PREVIOUS, WINDOW, MOMENT = range(4)
"""Rows of `Counts.rows`: the open pane; full panes one stride ago; full panes kept; the same weighted by position 0, 1, …"""

FROZEN, LATER = range(2)
"""Rows of `Counts.slow`: the drift rule's reference as it came into force; the un-alarmed full panes since the last slow check."""
LOOK = 5
"""The slow check is due when as many times the responses of the frozen reference have come: then its own error outweighs theirs."""

BLOCK, LAG = 100, 10
"""Responses wait in blocks of this many, and for this many later blocks, before they join the reference: a change under way is kept out."""
DOUBT = 0.3
"""Standard errors by which a reference's share is moved towards an alternative before that alternative is judged against it."""
SHORT, POWER = 400.0, 1.5
"""The limit is raised by (SHORT / n)^POWER for a reference of n responses: for what DOUBT leaves of a short one's error."""
DECLARED = 0.5
"""Weight beforehand of all declared changes together."""
THERE = 1e-4
"""A declared change of less divergence (nats a response) than this is there already, and gets no weight."""
EDGE = 0.02
"""Of a side that pays for a declared change at least this part is left: with nothing left of it, one response would rule the change out."""
LARGEST = 1e250
"""Cap on a sum: far above any threshold, so it decides nothing, and finite."""

_F = TypeVar("_F", bound=Callable[..., object])
_I64 = npt.NDArray[np.int64]
_F64 = npt.NDArray[np.float64]


def compiled(function: _F) -> _F:
    """The same function, compiled on its first call and cached on disk where that is possible.

    It may use only what stands in its own file: the cache is thrown away when that file changes, but not when another one does.
    """
    return cast("_F", njit(cache=True, error_model="numpy")(function))


class Counts(NamedTuple):
    """What was counted: `scalars` (11,), `rows` (4, k), `panes` (window / stride, k) as a ring with the times `opened` at which each began.

    `older` (levels, k) and `older_opened` are what left the window, in buckets of doubling length; `blocks` (LAG + 2, k) is a ring of what
    waits to join references; `recent` uint8 is a ring of the last categories; `cuts` (3, k) are the counts at each quarter of the learning;
    `slow` (2, k) is what the slow check compares.
    `latest` (k, examples) are the places in the present record of each category's last responses, youngest first, -1 where there are none.
    """

    scalars: _I64
    rows: _I64
    panes: _I64
    opened: _I64
    older: _I64
    older_opened: _I64
    blocks: _I64
    recent: npt.NDArray[np.uint8]
    cuts: _I64
    latest: _I64
    slow: _I64


class Belief(NamedTuple):
    """What was concluded: per channel its reference `counts` (c, k), their sum `size` (c,) and `joins` (c,), the next block to join them.

    `firing` (c,) is 0 or 1, `statistic` (c,) the last one, `begun` (c,) the first response that it rests on. `sums` (a,) are those of the
    alternatives.
    """

    counts: _I64
    size: _I64
    joins: _I64
    firing: _I64
    begun: _I64
    statistic: _F64
    sums: _F64


class Plan(NamedTuple):
    """What is looked for: likelihood `ratio` (k, a) against the reference, `prior` (a,), and a channel's `limit` (c,) for its statistic.

    They follow from the reference and from what never changes: `odds` (a, s), `weight` and `ceiling` (a,), `side` int8 (s, k), `base` (c,).
    A sum at its ceiling takes up no more onsets: where a stream is hardly met, they would add up to an alarm without evidence.
    Channel i owns alternatives `first[i]` to `first[i + 1]`; those of weight 0 at its end are changes that the user declared (channel 0),
    whose odds follow from the reference too: they are NaN in `odds`. `moves` (m, 3 + k) are the parts of these changes, as (alternative,
    `Amount`, value, and for each category 1 where it gets the amount, -1 where it pays).
    """

    ratio: _F64
    prior: _F64
    limit: _F64
    odds: _F64
    weight: _F64
    ceiling: _F64
    side: npt.NDArray[np.int8]
    base: _F64
    first: _I64
    moves: _F64


@compiled
def advance(
    categories: npt.NDArray[np.uint8], times: _I64, start: int, counts: Counts, belief: Belief, plan: Plan
) -> tuple[int, int]:
    """Count responses from `start` on until one needs attention; gives the index after it and a code (0: the end was reached).

    Blocks and panes that it fills are closed, which is all that a full block needs. They are closed here, not by the caller, because to
    hand over the arrays from Python costs as much as 80 responses.
    """
    code = 0
    while start < len(categories) and not code:
        start, code = _count(categories, times, start, counts, belief, plan)
        if code & FULL_BLOCK:
            close_block(counts, belief, plan)
            code &= ~FULL_BLOCK
        if code & FULL_PANE:
            code |= close_pane(counts, belief.firing)
    return start, code


@compiled
def _count(  # noqa: C901 - one loop without calls: passing arrays on costs more than what is done with them
    categories: npt.NDArray[np.uint8], times: _I64, start: int, counts: Counts, belief: Belief, plan: Plan
) -> tuple[int, int]:
    """Count responses until one has a code; panes and blocks are left full."""
    scalars, partial, recent, latest = counts.scalars, counts.rows[PARTIAL], counts.recent, counts.latest
    sums, statistic, firing = belief.sums, belief.statistic, belief.firing
    ratio, prior, ceiling, limit, first = plan.ratio, plan.prior, plan.ceiling, plan.limit, plan.first
    stride = scalars[STRIDE]
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
            code = _learn(category, counts, belief)
        else:
            for place in range(len(sums)):
                begun = sums[place] + (1.0 if sums[place] < ceiling[place] else 0.0)
                sums[place] = min(begun * ratio[category, place], LARGEST)
            for channel in range(len(limit)):
                total = 0.0
                for place in range(first[channel], first[channel + 1]):
                    total += prior[place] * sums[place]
                statistic[channel] = total
                if total >= limit[channel] and not firing[channel]:
                    code |= ALARM << channel
            counts.blocks[scalars[CLOSED] % len(counts.blocks), category] += 1
            scalars[FILLED] += 1
            if scalars[FILLED] == BLOCK:
                code |= FULL_BLOCK
        if scalars[SEEN] % stride == 0:
            code |= FULL_PANE
        if code:
            return index + 1, code
    return len(categories), 0


@compiled
def _learn(category: int, counts: Counts, belief: Belief) -> int:
    """Add a response to the references; keep the counts at each quarter of the learning; say when it has come to its end."""
    scalars, cuts = counts.scalars, counts.cuts
    scalars[LEARNT] += 1
    for channel in range(len(belief.size)):
        belief.counts[channel, category] += 1
        belief.size[channel] += 1
    for cut in range(len(cuts)):
        if scalars[LEARNT] == scalars[TARGET] * (cut + 1) // (len(cuts) + 1):
            for each in range(cuts.shape[1]):
                cuts[cut, each] = belief.counts[0, each]
    return LEARNED if scalars[LEARNT] == scalars[TARGET] else 0


@compiled
def close_block(counts: Counts, belief: Belief, plan: Plan) -> None:
    """Let blocks that have waited long enough join the references, and open a new one. What came while a channel
    fired never joins its, and nothing joins one from a file."""
    scalars, blocks = counts.scalars, counts.blocks
    scalars[CLOSED] += 1
    scalars[FILLED] = 0
    closed = scalars[CLOSED]
    for category in range(blocks.shape[1]):
        blocks[closed % len(blocks), category] = 0
    for channel in range(len(belief.size)):
        if belief.firing[channel] or scalars[ORIGIN] == GIVEN:
            belief.joins[channel] = closed + 1
            continue
        joined = False
        while belief.joins[channel] < closed and (
            closed - belief.joins[channel] > LAG or _is_crowded(channel, counts, belief, plan.side)
        ):
            slot = belief.joins[channel] % len(blocks)
            for category in range(blocks.shape[1]):
                belief.counts[channel, category] += blocks[slot, category]
                belief.size[channel] += blocks[slot, category]
            belief.joins[channel] += 1
            joined = True
        if joined:
            tabulate(channel, belief, plan)


@compiled
def _is_crowded(channel: int, counts: Counts, belief: Belief, side: npt.NDArray[np.int8]) -> bool:
    """Whether more responses of some stream are waiting than half of those that its reference has."""
    blocks = counts.blocks
    for stream in range(len(side)):
        has, waiting = 0, 0
        for category in range(side.shape[1]):
            if side[stream, category] >= 0:
                has += belief.counts[channel, category]
                for block in range(belief.joins[channel], counts.scalars[CLOSED]):
                    waiting += blocks[block % len(blocks), category]
        if 2 * waiting > has:
            return True
    return False


@compiled
def close_pane(counts: Counts, firing: _I64) -> int:
    """Move the open pane into the window, and the pane that leaves the window into the older buckets; gives `DUE` or 0.

    A pane counts for the slow check if all of it was judged against a reference that grows, and the drift rule does not fire.
    """
    scalars, rows, panes, slow = counts.scalars, counts.rows, counts.panes, counts.slow
    judged = scalars[LEARNT] < 0 and scalars[SEEN] - scalars[STRIDE] >= scalars[SINCE] and scalars[ORIGIN] != GIVEN
    if judged and not firing[0]:
        for category in range(panes.shape[1]):
            slow[LATER, category] += rows[PARTIAL, category]
    before = scalars[SEEN] // scalars[STRIDE] - 1
    slot = before % len(panes)
    full = before >= len(panes)
    if full:
        make_room(scalars[STRIDE], scalars[STRIDE] * len(panes), counts.older, counts.older_opened)
        if _total(counts.older[0]) == 0:
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
    return DUE if judged and not firing[0] and _total(slow[LATER]) >= LOOK * _total(slow[FROZEN]) else 0


@compiled
def make_room(stride: int, window: int, older: _I64, older_opened: _I64) -> None:
    """Empty the youngest bucket into the next where a pane more would overfill it; bucket i holds 2^i windows, and the last is dropped."""
    last = -1
    while last + 1 < len(older):
        more = stride if last < 0 else _total(older[last])
        if _total(older[last + 1]) + more <= window << (last + 1):
            break
        last += 1
    for level in range(last, -1, -1):
        if level + 1 < len(older) and _total(older[level + 1]) == 0:
            older_opened[level + 1] = older_opened[level]
        for category in range(older.shape[1]):
            if level + 1 < len(older):
                older[level + 1, category] += older[level, category]
            older[level, category] = 0


@compiled
def _total(counts: _I64) -> int:
    total = 0
    for count in counts:
        total += count
    return total


@compiled
def _declare(share: _F64, odds: _F64, plan: Plan) -> None:  # noqa: C901 - nested sums
    """Write the odds of declared changes: of the shares that each makes of the reference's, branches `share` (s, 2), over those before."""
    side, moves = plan.side, plan.moves
    streams, categories = side.shape
    shares = np.empty(categories)
    for place in range(plan.first[1]):
        if plan.weight[place] > 0.0:
            continue
        for category in range(categories):
            shares[category] = 1.0
            for stream in range(streams):
                if side[stream, category] >= 0:
                    shares[category] *= share[stream, side[stream, category]]
        for row in range(len(moves)):
            if moves[row, 0] == place:
                _make(shares, moves[row, 1], moves[row, 2], moves[row, 3:])
        for stream in range(streams):
            if math.isnan(odds[place, stream]):
                down, up = 0.0, 0.0
                for category in range(categories):
                    if side[stream, category] == 1:
                        up += shares[category]
                    elif side[stream, category] == 0:
                        down += shares[category]
                odds[place, stream] = up / down * share[stream, 0] / share[stream, 1]


@compiled
def _make(shares: _F64, amount: float, value: float, parties: _F64) -> None:
    """Make one move of `stream.core.scenarios` in shares (k,), as far as it can be made."""
    now, rest = 0.0, 0.0
    for category in range(len(shares)):
        if parties[category] > 0.0:
            now += shares[category]
        elif parties[category] < 0.0:
            rest += shares[category]
    wanted = value if amount == 0.0 else value * now if amount == 1.0 else rest
    wanted = min(max(wanted, EDGE * now), now + (1.0 - EDGE) * rest)
    for category in range(len(shares)):
        if parties[category] > 0.0:
            shares[category] *= wanted / now
        elif parties[category] < 0.0:
            shares[category] *= (now + rest - wanted) / rest


@compiled
def tabulate(channel: int, belief: Belief, plan: Plan) -> None:  # noqa: C901, PLR0912 - three nested sums
    """Write what follows from a channel's reference: `ratio`, `prior` and `limit`.

    A branch's probability is (count + 1/2) / (n + 1), an alternative multiplies its odds, and is judged against the probability moved
    `DOUBT` standard errors towards it. The prior is `weight` times KL^0.3, as larger changes deserve to be seen first; declared changes
    have `DECLARED` of it in equal parts.
    """
    side, odds, ratio, prior = plan.side, plan.odds.copy(), plan.ratio, plan.prior
    streams, categories = side.shape
    share, error = np.full((streams, 2), 0.5), np.empty(streams)
    for stream in range(streams):
        for category in range(categories):
            if side[stream, category] >= 0:
                share[stream, side[stream, category]] += belief.counts[channel, category]
        met = share[stream, 0] + share[stream, 1]
        share[stream, 0] /= met
        share[stream, 1] /= met
        error[stream] = math.sqrt(share[stream, 0] * share[stream, 1] / met)
    begin, end, grid_end = plan.first[channel], plan.first[channel + 1], plan.first[channel + 1]
    while plan.weight[grid_end - 1] == 0.0:
        grid_end -= 1
    if channel == 0:
        _declare(share, odds, plan)
    total, told = 0.0, 0.0
    for place in range(begin, end):
        divergence = 0.0
        for category in range(categories):
            present, shifted = 1.0, 1.0
            for stream in range(streams):
                taken, rise = side[stream, category], odds[place, stream]
                if taken >= 0:
                    present *= share[stream, taken]
                    if rise != 1.0:
                        doubt = min(DOUBT * error[stream], 0.5 * share[stream, 0], 0.5 * share[stream, 1])
                        up = share[stream, 1] + (doubt if rise > 1.0 else -doubt)
                        shifted *= (rise if taken else 1.0) / (1.0 - up + rise * up)
            ratio[category, place] = shifted
            if shifted != 1.0:
                divergence += present * shifted * math.log(shifted)
        if place < grid_end:
            prior[place] = plan.weight[place] * max(divergence, 1e-12) ** 0.3
            total += prior[place]
        else:
            prior[place] = DECLARED / (end - grid_end) if divergence > THERE else 0.0
            told += prior[place]
    for place in range(begin, grid_end):
        prior[place] *= (1.0 - told) / total
    plan.limit[channel] = plan.base[channel] * (1.0 + (SHORT / belief.size[channel]) ** POWER)


@compiled
def weigh(belief: Belief, plan: Plan) -> None:
    """Recompute the channels' statistics from the sums, under the references of now."""
    for channel in range(len(belief.statistic)):
        belief.statistic[channel] = 0.0
        for place in range(plan.first[channel], plan.first[channel + 1]):
            belief.statistic[channel] += plan.prior[place] * belief.sums[place]


@compiled
def derive(counts: Counts, belief: Belief, plan: Plan) -> None:
    """Recompute what follows from panes, references and sums: window totals, sizes, what is looked for, and statistics."""
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
        for category in range(rows.shape[1]):
            belief.size[channel] += belief.counts[channel, category]
        if counts.scalars[LEARNT] < 0:
            tabulate(channel, belief, plan)
    if counts.scalars[LEARNT] < 0:
        weigh(belief, plan)


@compiled
def extremes(categories: npt.NDArray[np.uint8], offsets: _I64) -> tuple[int, int, int]:
    """Largest category, smallest and largest offset; needs one response at least."""
    category, low, high = 0, offsets[0], offsets[0]
    for index in range(len(categories)):
        category = max(category, categories[index])
        low = min(low, offsets[index])
        high = max(high, offsets[index])
    return category, low, high
