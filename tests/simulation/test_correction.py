"""Intervals of corrected entropy hold the truth as often as they say. A short form of tests/bench/study_correction.py, seeds fixed.

Bounds: two points around 95 %, and three standard errors of the number of runs.
"""

import numpy as np
import pytest

from tests.bench.study_correction import CASES, CLASSIFIERS, confusion_study, labelled_study

RUNS = 200
BOUND = 0.02 + 3 * float(np.sqrt(0.95 * 0.05 / (3 * RUNS)))


def test_inverting_the_confusion_covers_the_truth_where_predictions_alone_do_not() -> None:
    found = [
        confusion_study(shares, n=5_000, runs=RUNS, random=np.random.default_rng(seed))
        for seed, shares in enumerate(CASES.values())
    ]
    assert np.mean([each["confusion"].coverage for each in found]) == pytest.approx(0.95, abs=BOUND)
    assert np.mean([each["confusion"].share_coverage for each in found]) == pytest.approx(0.95, abs=BOUND)
    for each in found[:2]:
        assert each["predicted"].coverage < 0.5
        assert abs(each["confusion"].bias) < 0.7 * each["predicted"].bias


def test_200_labels_cover_the_truth_and_beat_200_labels_drawn_from_all_alike() -> None:
    found = [
        labelled_study(shares, CLASSIFIERS["fair"], budget=200, runs=RUNS, n=2_000, random=np.random.default_rng(seed))
        for seed, shares in enumerate(CASES.values())
    ]
    assert np.mean([each["labelled"].coverage for each in found]) == pytest.approx(0.95, abs=BOUND)
    assert np.mean([each["labelled"].share_coverage for each in found]) == pytest.approx(0.95, abs=BOUND)
    for each in found:
        assert abs(each["labelled"].bias) < 0.01
        assert each["labelled"].rmse < 0.8 * each["labels alone"].rmse
