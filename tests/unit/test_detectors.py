"""Each detector finds what it says it finds, at the response at which its definition says so."""

from itertools import pairwise

import numpy as np
import pytest

from stream.core.entropy import entropy
from stream.core.events import Rule
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from stream.detectors.calibrated import Calibrated
from stream.detectors.cusum import Cusum
from stream.detectors.detector import Categories, Detector, scan
from stream.detectors.epsilon import Epsilon
from stream.detectors.from_river import OnEntropy, OnShares, river_detector
from tests.simulation.logs import BROKEN, BUSY, QUIET, SWAPPED, draw, scored


def alarms(detector: Detector, categories: Categories) -> list[int]:
    """Responses (counted from 0) that raised an alarm."""
    found, place = [], 0
    while place < len(categories):
        place += scan(detector, categories[place:])
        if detector.drift_detected:
            found.append(place - 1)
    return found


@pytest.mark.parametrize("rule", [Rule.DRIFT, Rule.TRAFFIC_MIX])
def test_the_calibrated_detector_alarms_where_a_monitor_does_and_says_the_same(rule: Rule) -> None:
    settings = EngineSettings(window=300, stride=50, learn_from=500)
    after = BROKEN if rule is Rule.DRIFT else np.array([0.75, 0.05, 0.14, 0.03, 0.03])
    for seed in range(4):
        log = np.concatenate([draw(BUSY, 2_000, seed), draw(after, 2_000, seed + 50)])
        alert = next(each for each in Monitor("m", settings).observe(scored(log)).alerts if each.rule is rule)
        detector = Calibrated(settings, rule=rule)
        assert scan(detector, log) - 1 == alert.seq
        assert detector.onset == alert.onset.seq
        assert detector.statistic == pytest.approx(alert.statistic)
        names = [settings.taxonomy.names[each.category] for each in detector.contributors]
        assert names == [each.category for each in alert.contributors]
        assert [each.part for each in detector.contributors] == pytest.approx(
            [each.contribution for each in alert.contributors], abs=1e-8
        )


def test_the_calibrated_detector_learns_anew_after_a_detection() -> None:
    settings = EngineSettings(window=300, stride=50, learn_from=500, false_alarm_interval=1_000_000)
    log = np.concatenate(
        [draw(BUSY, 1_500, 1), draw(np.array([0.5, 0.02, 0.06, 0.03, 0.39]), 2_500, 2), draw(BUSY, 1_000, 3)]
    )
    found = alarms(Calibrated(settings), log)
    assert len(found) == 2
    assert 1_500 <= found[0] < 2_000
    assert 4_000 <= found[1] < 4_500


@pytest.mark.parametrize("reference", [[1, 2], [0, 0, 0, 0, 0], [-1, 5, 5, 5, 5]])
def test_a_reference_that_is_none_is_refused(reference: list[int]) -> None:
    with pytest.raises(ValueError, match="reference must have 5 counts"):
        Calibrated(reference=reference)


def test_epsilon_fires_exactly_where_two_windows_differ_by_more() -> None:
    log, window, stride = draw(BUSY, 3_000, 4), 100, 10
    ends = range(window, len(log) + 1, stride)
    values = [entropy(np.bincount(log[end - window : end], minlength=5)) for end in ends]
    expected = [
        end - 1 for end, (before, now) in zip(list(ends)[1:], pairwise(values), strict=True) if abs(now - before) > 0.06
    ]
    assert expected
    assert alarms(Epsilon(epsilon=0.06, window=window, stride=stride), log) == expected


def test_the_papers_epsilon_fires_on_noise_as_the_rule_of_a_monitor_does() -> None:
    log = draw(QUIET, 5_000, 1)
    drift = Monitor("m", EngineSettings(window=100, stride=1, learn_from=100_000)).observe(scored(log)).drift
    above = [event.seq for event in drift if event.delta is not None and abs(event.delta) > 0.001]
    assert alarms(Epsilon(), log) == above


def test_a_cusum_sums_log_ratios_from_the_likeliest_onset() -> None:
    step = np.log(BROKEN / QUIET)
    log = np.concatenate([draw(QUIET, 500, 5), draw(BROKEN, 500, 6)])
    total, since, expected = 0.0, 0, []
    for place, category in enumerate(log.tolist()):
        if total <= 0:
            total, since = 0.0, place
        total += step[category]
        if total >= 5.0:
            expected.append((place, since))
            total = 0.0
    detector = Cusum(QUIET.tolist(), BROKEN.tolist(), limit=5.0)
    found, place = [], 0
    while place < len(log):
        place += scan(detector, log[place:])
        if detector.drift_detected:
            found.append((place - 1, detector.onset))
    assert expected
    assert found == expected


def test_a_cusum_refuses_what_cannot_be_found() -> None:
    with pytest.raises(ValueError, match="nothing to find"):
        Cusum([0.5, 0.5], [0.5, 0.5], limit=3)
    with pytest.raises(ValueError, match="above 0"):
        Cusum([0.5, 0.5], [1.0, 0.0], limit=3)


def test_river_on_entropy_sees_the_entropy_of_each_full_window() -> None:
    log, window = draw(BUSY, 1_500, 7), 50
    log = np.concatenate([log, draw(BROKEN, 1_000, 8)])
    inner, expected = river_detector("ADWIN", {"delta": 0.01}), []
    for end in range(window, len(log) + 1):
        inner.update(entropy(np.bincount(log[end - window : end], minlength=5)))
        if inner.drift_detected:
            expected.append(end - 1)
    assert expected
    assert alarms(OnEntropy("ADWIN", {"delta": 0.01}, window=window), log) == expected


def test_river_on_shares_names_the_category_that_moved() -> None:
    log = np.concatenate([draw(BUSY, 3_000, 9), draw(np.array([0.59, 0.02, 0.06, 0.03, 0.3]), 500, 10)])
    detector = OnShares("ADWIN", {"delta": 1e-12})
    taken = scan(detector, log)
    assert detector.drift_detected
    assert 3_000 < taken < 3_300
    assert detector.contributors[0].category in (0, 4)


def test_a_swap_leaves_entropy_and_those_who_watch_it_alone() -> None:
    calm, swapped, broken = (draw(model, 3_000, 11) for model in (BUSY, SWAPPED, BROKEN))
    on_entropy, on_shares = OnEntropy("ADWIN", {"delta": 1e-30}), OnShares("ADWIN", {"delta": 1e-6})
    assert alarms(on_entropy, np.concatenate([calm, swapped])) == []
    assert alarms(on_entropy, np.concatenate([calm, broken]))
    assert alarms(on_shares, np.concatenate([calm, swapped]))


def test_river_detectors_are_found_by_name_and_made_with_parameters() -> None:
    made = river_detector("KSWIN", {"alpha": 0.001, "seed": 3})
    assert type(made).__name__ == "KSWIN"
    assert vars(made)["alpha"] == 0.001


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("ADWINN", {}, "ADWIN"),
        ("base", {}, "no drift detector"),
        ("ADWIN", {"deltta": 1}, "deltta"),
        ("KSWIN", {"alpha": 7}, "between 0 and 1"),
    ],
)
def test_what_river_does_not_have_or_take_is_refused(name: str, parameters: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        river_detector(name, parameters)
