"""The compiled detector is the one that docs/statistics.md describes."""

import numpy as np
import numpy.typing as npt
import pytest

from stream.core.detectors import Design, design
from stream.core.events import Rule, Status
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from tests.simulation.logs import ATTACKED, BROKEN, BUSY, CALM, draw, scored

SETTINGS = EngineSettings(window=100, stride=50, learn_from=200, false_alarm_interval=10_000, watch="all")


class Naive:
    """Shiryaev-Roberts sums by the definition, over whole lists: no recursion on counts, no compiled code."""

    def __init__(self, plan_of: Design, learned: list[int]) -> None:
        self.design = plan_of
        self.reference = list(learned)
        self.waiting: list[list[int]] = []
        self.open: list[int] = []
        self.grid = plan_of.channels[0].alternatives
        self.sums = np.zeros(len(self.grid.odds))
        self.made_for = 0

    def visits(self, categories: list[int], stream: int) -> list[int]:
        taken = [int(self.design.side[stream, category]) for category in categories]
        return [side for side in taken if side >= 0]

    def ratio(self, category: int, odds: npt.NDArray[np.float64]) -> float:
        ratio = 1.0
        for stream, factor in enumerate(odds):
            taken = self.design.side[stream, category]
            if taken >= 0 and factor != 1:
                visits = self.visits(self.reference, stream)
                q = (sum(visits) + 0.5) / (len(visits) + 1)
                doubt = min(0.3 * np.sqrt(q * (1 - q) / (len(visits) + 1)), 0.5 * q, 0.5 * (1 - q))
                q += doubt if factor > 1 else -doubt
                ratio *= (factor if taken else 1) / (1 - q + q * factor)
        return ratio

    def chance(self, category: int) -> float:
        chance = 1.0
        for stream in range(len(self.design.streams)):
            taken = self.design.side[stream, category]
            if taken >= 0:
                visits = self.visits(self.reference, stream)
                q = (sum(visits) + 0.5) / (len(visits) + 1)
                chance *= q if taken else 1 - q
        return chance

    def prior(self) -> npt.NDArray[np.float64]:
        chances = np.array([self.chance(category) for category in range(5)])
        weights = self.grid.weight * (self.ratios * np.log(self.ratios) @ chances) ** 0.3
        return np.asarray(weights / weights.sum())

    def update(self, category: int) -> float:
        if self.made_for != len(self.reference):
            self.made_for = len(self.reference)
            self.ratios = np.array([[self.ratio(each, odds) for each in range(5)] for odds in self.grid.odds])
            self.priors = self.prior()
        # A sum that has a quarter of the limit takes up no more onsets.
        begun = self.sums + (self.sums < 0.25 * self.design.base[0])
        self.sums = begun * self.ratios[:, category]
        total = float(self.priors @ self.sums)
        self.open.append(category)
        if len(self.open) == 100:
            self.waiting.append(self.open)
            self.open = []
            while self.waiting and (len(self.waiting) > 10 or self.crowded()):
                self.reference.extend(self.waiting.pop(0))
        return total

    def crowded(self) -> bool:
        late = [category for block in self.waiting for category in block]
        streams = range(len(self.design.streams))
        return any(2 * len(self.visits(late, stream)) > len(self.visits(self.reference, stream)) for stream in streams)


def test_the_statistic_is_the_weighted_sum_over_alternatives_and_onsets() -> None:
    log = draw(BUSY, 700, 1)
    events = {event.seq: event for event in Monitor("m", SETTINGS).observe(scored(log)).drift}
    naive = Naive(design(SETTINGS), log[:200].tolist())
    compared = 0
    for seq in range(200, 700):
        total = naive.update(int(log[seq]))
        if seq in events:
            assert events[seq].statistic == pytest.approx(np.log1p(total), rel=1e-8)
            assert events[seq].reference.n == len(naive.reference)
            compared += 1
    assert compared == 10
    assert len(naive.reference) > 200


def test_a_block_joins_the_reference_when_ten_more_have_passed() -> None:
    settings = EngineSettings(stride=50, learn_from=4_000)
    drift = Monitor("m", settings).observe(scored(draw(BUSY, 6_000, 1))).drift
    sizes = {event.seq + 1: event.reference.n for event in drift}
    assert (sizes[5_050], sizes[5_100], sizes[5_200], sizes[6_000]) == (4_000, 4_100, 4_200, 5_000)


def test_a_stream_that_is_met_much_more_often_than_before_is_learned_sooner() -> None:
    log = np.concatenate([draw(CALM, 1_000, 2), draw(ATTACKED, 300, 3)])
    settings = EngineSettings(stride=100, learn_from=1_000, false_alarm_interval=10**9)
    sizes = [event.reference.n for event in Monitor("m", settings).observe(scored(log)).drift]
    assert sizes[-1] > 1_000


def test_what_came_during_an_alarm_or_shortly_before_it_never_joins_the_reference() -> None:
    log = np.concatenate([draw(BUSY, 3_300, 2), draw(BROKEN, 1_000, 3), draw(BUSY, 6_000, 4)])
    settings = EngineSettings(learn_from=3_000, watch="all", traffic_mix=False, false_alarm_interval=100_000)
    observed = Monitor("m", settings).observe(scored(log))
    firing, resolved = observed.alerts[:2]
    assert (firing.rule, firing.status, resolved.status) == (Rule.DRIFT, Status.FIRING, Status.RESOLVED)
    assert firing.reference_counts == resolved.reference_counts
    grown = observed.drift[-1].reference
    expected = np.bincount(log[:3_000], minlength=5)
    # The first block that may join begins after the one in which the alert resolved.
    begun = 3_000 + ((resolved.seq + 1 - 3_000) // 100 + 1) * 100
    assert firing.reference_counts == tuple(expected)
    assert grown.counts == tuple(expected + np.bincount(log[begun : begun + grown.n - 3_000], minlength=5))
    assert grown.n > 6_000


@pytest.mark.parametrize("only", range(5))
def test_it_stays_finite_when_one_behaviour_is_all_there_ever_was(only: int) -> None:
    observed = Monitor("m", EngineSettings()).observe(scored(np.full(40_000, only, np.uint8)))
    assert all(np.isfinite((event.statistic, event.threshold)).all() for event in observed.drift)
    assert not observed.alerts


def test_it_stays_finite_through_ten_thousand_responses_of_a_change_that_lasts() -> None:
    log = np.concatenate([np.zeros(1_000, np.uint8), np.full(10_000, 4, np.uint8)])
    observed = Monitor("m", EngineSettings()).observe(scored(log))
    assert [alert.rule for alert in observed.alerts] == [Rule.DRIFT]
    assert all(np.isfinite(event.statistic) for event in observed.drift)
