"""Mean delay of a CUSUM that knows the change, on independent responses, at exactly one false alarm in so many responses."""

import numpy as np
import numpy.typing as npt

from stream.backtest.estimates import Estimate, mean
from stream.backtest.models import Floats
from stream.core.kernel import compiled
from stream.core.reference import branch_shares, category_shares
from stream.core.settings import Watch
from stream.core.streams import TRAFFIC, nested_streams, sides
from stream.core.taxonomy import Taxonomy

_Integers = npt.NDArray[np.int64]

LARGE = 1e12
"""Responses that stand for shares which are known."""


def watched_change(before: Floats, after: Floats, taxonomy: Taxonomy, watch: Watch) -> Floats:
    """Shares (k,) after the change as far as a rule watches it: with `behaviour` the mix of requests stays that of before."""
    streams = nested_streams(taxonomy)
    side = sides(streams, len(taxonomy))
    old, new = (branch_shares(shares * LARGE, side) for shares in (before, after))
    kept = np.array([watch == "behaviour" and stream.name == TRAFFIC for stream in streams])
    return category_shares(np.where(kept[:, None], old, new), side)


def oracle(
    before: Floats, after: Floats, *, interval: int, lead: int, runs: int, seen: Floats | None = None
) -> Estimate | None:
    """Mean delay of the CUSUM that knows both shares (k,), `lead` responses after its start; None where nothing changes.

    `seen` are the shares after the change that its steps are made of, if it does not watch all of it. Where its steps have a common
    measure no single limit gives the interval: then each run takes one of two neighbouring limits at random, in the proportion that gives
    it. The error is that of the delay and of the limit.
    """
    step = np.log((after if seen is None else seen) / before)
    if np.allclose(step, 0, atol=1e-9):
        return None
    edges = (np.cumsum(before), np.cumsum(after))

    def passages(levels: Floats, place: int) -> _Integers:
        times = np.zeros(levels.shape, np.int64)
        _cusum(step, edges if place else (edges[0], edges[0]), place, levels, times)
        return times

    _seed(1)
    limit = np.log(interval) - 3
    for _ in range(6):  # the interval grows as exp(limit), so this comes near
        limit = max(limit + np.log(interval / np.mean(passages(np.full((50, 1), limit), 0))), 0.1)
    grid = np.maximum(limit + np.linspace(-1.5, 1.5, 301), 0.01)
    found = np.mean(passages(np.tile(grid, (runs, 1)), 0), axis=0)
    high = min(max(int(np.searchsorted(found, interval)), 1), len(grid) - 1)
    part = (interval - found[high - 1]) / max(found[high] - found[high - 1], 1e-9)
    limits = np.where((np.arange(runs) + 0.5) / runs < part, grid[high], grid[high - 1])
    delayed = mean(passages(limits[:, None], lead)[:, 0])
    return Estimate(delayed.value, float(np.hypot(delayed.error, delayed.value / grid[high] / np.sqrt(runs))))


@compiled
def _cusum(step: Floats, edges: tuple[Floats, Floats], change: int, levels: Floats, times: _Integers) -> None:
    """Fill `times` with the responses from the change until a CUSUM passes `levels`; both (runs, levels), ascending in a row.

    Categories come with cumulated shares `edges`, before and after the change. Runs that pass their first level before it are drawn again.
    """
    run = 0
    while run < len(levels):
        total, place, passed = 0.0, 0, 0
        while passed < levels.shape[1]:
            drawn, category = np.random.random(), 0
            shares = edges[0] if place < change else edges[1]
            while category < len(step) - 1 and drawn >= shares[category]:
                category += 1
            total = max(total, 0.0) + step[category]
            place += 1
            while passed < levels.shape[1] and total >= levels[run, passed]:
                times[run, passed] = place - change
                passed += 1
        if times[run, 0] > 0:
            run += 1


@compiled
def _seed(seed: int) -> None:
    """Seed the generator of compiled code, which is not numpy's."""
    np.random.seed(seed)
