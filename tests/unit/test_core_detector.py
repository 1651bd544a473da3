"""The compiled detector is the one that docs/statistics.md describes."""

import numpy as np
import numpy.typing as npt
import pytest

from stream.core.detectors import GROWTH, Design, design
from stream.core.monitor import Monitor
from stream.core.records import Rule
from stream.core.settings import EngineSettings
from tests.simulation.logs import BROKEN, BUSY, Categories, draw, scored

SETTINGS = EngineSettings(window=100, stride=50, learn_from=200, false_alarm_interval=10_000, watch="all")


class Naive:
    """Shiryaev-Roberts sums by the definition: for each response, a likelihood ratio of shifted against predicted branches."""

    def __init__(self, plan_of: Design, reference: npt.NDArray[np.int64]) -> None:
        self.design = plan_of
        self.counts = reference.copy()
        self.anchor = reference.copy()
        self.sums = np.zeros(len(plan_of.channels[0].alternatives.odds))

    def share(self, counts: npt.NDArray[np.int64], stream: int) -> float:
        side = self.design.side[stream]
        return float((counts[side == 1].sum() + 0.5) / (counts[side >= 0].sum() + 1))

    def shifted(self, stream: int, odds: float) -> float:
        q = self.share(self.anchor, stream)
        return q * odds / (1 - q + q * odds)

    def prior(self) -> npt.NDArray[np.float64]:
        grid = self.design.channels[0].alternatives
        divergences = []
        for odds in grid.odds:
            divergence, met = 0.0, 1.0
            chances = []
            for category in range(len(self.counts)):
                chance = ratio = 1.0
                for stream, factor in enumerate(odds):
                    taken = self.design.side[stream, category]
                    if taken >= 0:
                        q, r = self.share(self.anchor, stream), self.shifted(stream, factor)
                        chance *= q if taken else 1 - q
                        ratio *= (r / q if taken else (1 - r) / (1 - q)) if factor != 1 else 1.0
                chances.append(chance)
                divergence += chance * ratio * np.log(ratio)
            assert sum(chances) == pytest.approx(met)
            divergences.append(divergence)
        weights = grid.weight * np.array(divergences) ** 0.3
        return np.asarray(weights / weights.sum())

    def update(self, category: int) -> float:
        ratios = []
        for odds in self.design.channels[0].alternatives.odds:
            ratio = 1.0
            for stream, factor in enumerate(odds):
                taken = self.design.side[stream, category]
                if taken >= 0 and factor != 1:
                    r, q = self.shifted(stream, factor), self.share(self.counts, stream)
                    ratio *= r / q if taken else (1 - r) / (1 - q)
            ratios.append(ratio)
        self.sums = (1 + self.sums) * ratios
        total = float(self.prior() @ self.sums)
        self.counts[category] += 1
        if self.counts.sum() >= GROWTH * self.anchor.sum():
            self.anchor = self.counts.copy()
        return total


def test_the_statistic_is_the_weighted_sum_over_alternatives_and_onsets() -> None:
    log: Categories = draw(BUSY, 450, 1)
    monitor = Monitor("m", SETTINGS)
    events = {event.seq: event for event in monitor.observe(scored(log)).drift}
    naive = Naive(design(SETTINGS), np.bincount(log[:200], minlength=5))
    for seq in range(200, 450):
        total = naive.update(int(log[seq]))
        if seq in events:
            assert events[seq].statistic == pytest.approx(np.log1p(total), rel=1e-8)


def test_the_reference_grows_by_unalarmed_responses_only() -> None:
    log = np.concatenate([draw(BUSY, 1_000, 2), draw(BROKEN, 1_000, 3)])
    observed = Monitor("m", EngineSettings(learn_from=500, watch="all", traffic_mix=False)).observe(scored(log))
    (alarm,) = observed.alerts
    assert alarm.rule is Rule.DRIFT
    assert alarm.reference_counts == tuple(np.bincount(log[: alarm.seq], minlength=5))
    assert observed.drift[-1].reference.counts == alarm.reference_counts
    assert observed.drift[-1].reference.n == alarm.seq


@pytest.mark.parametrize("only", range(5))
def test_it_stays_finite_when_one_behaviour_is_all_there_ever_was(only: int) -> None:
    log = np.full(3_000, only, np.uint8)
    observed = Monitor("m", EngineSettings()).observe(scored(log))
    assert all(np.isfinite((event.statistic, event.threshold)).all() for event in observed.drift)
    assert not observed.alerts


def test_it_stays_finite_through_ten_thousand_responses_of_a_change_that_lasts() -> None:
    log = np.concatenate([np.zeros(1_000, np.uint8), np.full(10_000, 4, np.uint8)])
    observed = Monitor("m", EngineSettings()).observe(scored(log))
    assert [alert.rule for alert in observed.alerts] == [Rule.DRIFT]
    assert all(np.isfinite(event.statistic) for event in observed.drift)
