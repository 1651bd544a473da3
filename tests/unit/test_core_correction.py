"""Shares and entropy corrected for classifier error: against formulas that were worked out elsewhere."""

import math

import numpy as np
import pytest

from stream.core.correction import (
    as_counted,
    by_confusion,
    from_moments,
    plug_in,
    smoothed,
    soft_labels,
    to_simplex,
)
from stream.core.entropy import measure

RATES = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
SHARES = np.array([0.7, 0.2, 0.1])


def test_counts_alone_give_wilsons_interval_and_the_entropy_of_drift_events() -> None:
    found = as_counted(np.array([80, 20]))
    assert found.shares[1].value == 0.2
    # Wilson 1927 for 20 of 100: centre (p + z²/2n)/(1 + z²/n); the variance is taken a little towards the middle.
    assert found.shares[1].low == pytest.approx(0.1334, abs=0.0015)
    assert found.shares[1].high == pytest.approx(0.2888, abs=0.0015)
    same = measure(np.array([80, 20]), np.zeros(2, np.int8))
    assert found.entropy == (same.corrected, same.low, same.high)


def test_a_classifier_without_errors_needs_no_correction() -> None:
    found = by_confusion(np.array([700, 200, 100]), 1e6 * np.eye(3))
    assert [each.value for each in found.shares] == pytest.approx(SHARES, abs=0.003)
    error = math.sqrt(0.2 * 0.8 / 1_000)
    assert found.shares[1].low == pytest.approx(0.2 - 1.96 * error, abs=0.002)
    assert found.shares[1].high == pytest.approx(0.2 + 1.96 * error, abs=0.002)


def test_known_errors_are_taken_back() -> None:
    counts = np.rint(1e6 * SHARES @ RATES).astype(np.int64)
    found = by_confusion(counts, 1e6 * RATES)
    assert [each.value for each in found.shares] == pytest.approx(SHARES, abs=0.002)
    truth = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1))
    assert found.entropy.value == pytest.approx(truth, abs=0.003)
    assert found.entropy.low < truth < found.entropy.high


def test_two_behaviours_give_the_estimate_and_error_of_rogan_and_gladen() -> None:
    sensitivity, specificity, of, n, apparent = 0.8, 0.9, 400, 2_000, 0.31
    confusion = of * np.array([[specificity, 1 - specificity], [1 - sensitivity, sensitivity]])
    found = by_confusion(np.rint(n * np.array([1 - apparent, apparent])).astype(np.int64), confusion)
    power = sensitivity + specificity - 1
    true = (apparent + specificity - 1) / power
    variance = apparent * (1 - apparent) / n
    variance += true**2 * sensitivity * (1 - sensitivity) / of + (1 - true) ** 2 * specificity * (1 - specificity) / of
    error = math.sqrt(variance) / power
    assert found.shares[1].value == pytest.approx(true, abs=0.1 * error)
    assert found.shares[1].high - found.shares[1].low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_counts_below_the_false_positives_give_a_share_near_0_inside_its_interval() -> None:
    found = by_confusion(np.array([999, 1]), np.array([[180.0, 20.0], [20.0, 180.0]]))
    share = found.shares[1]
    assert 0 == share.low <= share.value <= share.high < 0.06
    assert 0 <= found.entropy.low <= found.entropy.value <= found.entropy.high


def test_fewer_held_out_rows_widen_the_interval() -> None:
    counts = np.array([700, 200, 100])
    wide, narrow = (by_confusion(counts, rows * RATES).entropy for rows in (50, 5_000))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_seed_decides_every_digit() -> None:
    counts = np.array([700, 200, 100])
    assert by_confusion(counts, 90 * RATES, seed=3) == by_confusion(counts, 90 * RATES, seed=3)
    assert by_confusion(counts, 90 * RATES, seed=3) != by_confusion(counts, 90 * RATES, seed=4)


@pytest.mark.parametrize(
    ("counts", "confusion"),
    [
        ([0, 0], np.eye(2)),
        ([3, -1], np.eye(2)),
        ([3, 1], np.eye(3)),
        ([3, 1], -np.eye(2)),
        ([3, 1], np.full((2, 2), np.nan)),
    ],
)
def test_what_cannot_be_inverted_is_refused(counts: list[int], confusion: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be 2 rows|at least one response"):
        by_confusion(np.array(counts), confusion)


def test_no_point_of_the_simplex_is_nearer_than_the_one_that_is_found() -> None:
    random = np.random.default_rng(0)
    points = random.normal(0.2, 0.6, (200, 5))
    found = to_simplex(points)
    assert (found >= 0).all()
    assert found.sum(axis=1) == pytest.approx(1)
    others = random.dirichlet(np.full(5, 0.5), 2_000)
    nearest = ((points[:, None] - others[None]) ** 2).sum(axis=2).min(axis=1)
    assert (((points - found) ** 2).sum(axis=1) <= nearest).all()


def test_moments_of_a_plain_sample_give_what_counting_gives() -> None:
    counts = np.array([860, 20, 60, 30, 30])
    shares = counts / 1_000
    near = smoothed(shares, 1_000)
    found = from_moments(shares, (np.diag(near) - np.outer(near, near)) / 1_000, near=near)
    counted = as_counted(counts)
    assert found.entropy == pytest.approx(counted.entropy, abs=0.006)
    assert np.array(found.shares) == pytest.approx(np.array(counted.shares), abs=1e-12)


def test_the_interval_stays_within_what_is_possible() -> None:
    near = np.full(3, 1 / 3)
    found = from_moments(near, 0.2 * np.eye(3), near=near)
    assert 0 <= found.entropy.low <= found.entropy.value <= found.entropy.high <= math.log(3)
    assert all(0 <= each.low <= each.value <= each.high <= 1 for each in found.shares)


def test_soft_labels_are_the_mean_of_the_probabilities() -> None:
    probs = np.array([[0.9, 0.1], [0.5, 0.5]] * 500)
    found = soft_labels(probs.mean(axis=0), np.cov(probs, rowvar=False, bias=True), len(probs))
    assert [each.value for each in found.shares] == pytest.approx([0.7, 0.3])
    assert found.shares[0].high - found.shares[0].low == pytest.approx(2 * 1.96 * 0.2 / math.sqrt(1_000), rel=0.01)
    assert found.entropy.value == pytest.approx(float(plug_in(np.array([0.7, 0.3]))), abs=1e-3)
