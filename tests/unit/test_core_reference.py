"""A reference is refused when it was not at rest, and hardly ever when it was."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from stream.core.reference import REFUSED, fisher, is_stable
from stream.core.streams import nested_streams, watched
from stream.core.taxonomy import PAPER
from tests.simulation.logs import ATTACKED, BROKEN, BUSY, CALM, QUIET, Categories, draw

STREAMS = watched(nested_streams(PAPER), "behaviour")


def stable(categories: Categories) -> bool:
    quarters = [np.bincount(part, minlength=5) for part in np.array_split(categories, 4)]
    totals = np.cumsum(quarters, axis=0)
    return is_stable(totals[:3], totals[3], STREAMS)


@pytest.mark.parametrize(
    ("risen", "met", "all_risen", "all_met"), [(3, 4, 4, 9), (0, 4, 4, 9), (2, 5, 3, 10), (1, 1, 1, 2)]
)
def test_fishers_p_value_is_twice_the_smaller_tail_counted_out(
    risen: int, met: int, all_risen: int, all_met: int
) -> None:
    marked = set(range(all_risen))
    draws = [len(marked & set(chosen)) for chosen in combinations(range(all_met), met)]
    above, below = sum(x >= risen for x in draws), sum(x <= risen for x in draws)
    assert len(draws) == comb(all_met, met)
    assert fisher(risen, met, all_risen, all_met) == pytest.approx(
        min(1.0, 2 * min(above, below) / len(draws)), rel=1e-9
    )


def test_fishers_p_value_is_finite_for_large_counts() -> None:
    assert fisher(500_000, 10**6, 10**6, 2 * 10**6) == pytest.approx(1.0, abs=0.01)
    assert fisher(10**6, 10**6, 10**6, 2 * 10**6) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_a_reference_in_which_behaviour_changed_is_refused(seed: int) -> None:
    assert not stable(np.concatenate([draw(QUIET, 500, seed), draw(BROKEN, 500, seed + 100)]))


def test_a_traffic_mix_that_comes_in_waves_is_no_reason_to_refuse() -> None:
    waves = np.concatenate([draw(CALM, 500, 1), draw(ATTACKED, 500, 2)])
    assert stable(waves)


@pytest.mark.parametrize("shares", [QUIET, BUSY])
def test_at_most_one_in_a_thousand_stable_references_is_refused(
    shares: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    log = draw(shares, 4_000 * 400, 11).reshape(4_000, 400)
    refused = sum(not stable(categories) for categories in log)
    # The bound is 4 expected; 12 or more would have a chance of 1 in 1,000 at the bound.
    assert refused / 4_000 <= 12 / 4_000
    assert REFUSED == 1e-3
