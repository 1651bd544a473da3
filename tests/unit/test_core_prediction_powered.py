"""Estimates from labels on a stratified sample: exact where they can be, unbiased where they are not."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from stream.core.prediction_powered import Stratum, prediction_powered

Floats = npt.NDArray[np.float64]


def stratum(labels: list[int], *, size: int, probs: Floats | None = None, mean: Floats | None = None) -> Stratum:
    constant = np.array([0.8, 0.2])
    return Stratum(
        size=size,
        mean=constant if mean is None else mean,
        probs=np.tile(constant, (len(labels), 1)) if probs is None else probs,
        labels=np.array(labels),
    )


def values(*strata: Stratum) -> list[float]:
    return [each.value for each in prediction_powered(strata).estimate.shares]


def test_strata_weigh_by_their_size_and_not_by_their_labels() -> None:
    found = prediction_powered([stratum([0, 0, 0, 1], size=900), stratum([1, 1, 0, 1, 1, 0, 1, 1], size=100)])
    assert [each.value for each in found.estimate.shares] == pytest.approx(
        [0.9 * 0.75 + 0.1 * 0.25, 0.9 * 0.25 + 0.1 * 0.75]
    )
    assert found.tuning == 0


def test_every_response_labelled_leaves_only_the_error_of_the_traffic() -> None:
    labels = [0] * 80 + [1] * 20
    found = prediction_powered([stratum(labels, size=100)]).estimate
    assert [each.value for each in found.shares] == pytest.approx([0.8, 0.2])
    error = np.sqrt(0.2 * 0.8 / 100)
    assert found.shares[1].high - found.shares[1].low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_probabilities_that_know_the_labels_carry_the_estimate() -> None:
    labels = [0, 1, 0, 1, 1]
    found = prediction_powered([stratum(labels, size=1_000, probs=np.eye(2)[labels], mean=np.array([0.7, 0.3]))])
    assert found.tuning == pytest.approx(1)
    assert found.estimate.shares[1].value == pytest.approx(0.3)


def test_probabilities_that_mislead_are_left_out() -> None:
    labels = [0, 1, 0, 1]
    found = prediction_powered(
        [stratum(labels, size=1_000, probs=np.eye(2)[labels][:, ::-1], mean=np.array([0.9, 0.1]))]
    )
    assert found.tuning == 0
    assert found.estimate.shares[1].value == pytest.approx(0.5)


def test_the_weight_of_the_probabilities_minimises_the_variance() -> None:
    random = np.random.default_rng(4)
    first = random.beta(8, 2, 400)
    probs = np.stack([first, 1 - first], axis=1)
    labels = (random.random(400) > 0.5 + first / 4).astype(int)
    tuning = prediction_powered([stratum(labels.tolist(), size=10**6, probs=probs, mean=probs.mean(axis=0))]).tuning
    variances = [
        np.var(np.eye(2)[labels] - weight * probs, axis=0).sum() for weight in (tuning - 0.02, tuning, tuning + 0.02)
    ]
    assert 0 < tuning < 1
    assert variances[1] == min(variances)


def test_over_all_samples_the_estimate_is_right_on_average() -> None:
    large, small = [0, 0, 1, 0, 1, 0], [1, 1, 0, 1]
    means = [
        values(stratum([large[at] for at in a], size=6), stratum([small[at] for at in b], size=4))[1]
        for a in combinations(range(6), 2)
        for b in combinations(range(4), 3)
    ]
    assert np.mean(means) == pytest.approx((2 + 3) / 10)


def test_labels_that_all_agree_do_not_count_as_certain() -> None:
    found = prediction_powered([stratum([0] * 30, size=5_000)]).estimate
    assert found.shares[1].value == 0
    assert 0.02 < found.shares[1].high < 0.2
    assert found.entropy.high > 0


def test_a_behaviour_that_no_label_names_may_not_occur_at_all() -> None:
    probs = np.array([[0.9, 0.09, 0.01], [0.1, 0.89, 0.01]] * 20)
    mean = np.array([0.5, 0.3, 0.2])
    found = prediction_powered([stratum([0, 1] * 20, size=5_000, probs=probs, mean=mean)]).estimate
    assert found.shares[2].value > 0.1
    assert found.shares[2].low == 0
    assert found.shares[1].low > 0


def test_more_labels_narrow_the_interval() -> None:
    few, many = (prediction_powered([stratum([0, 0, 0, 1] * n, size=10**5)]).estimate.entropy for n in (10, 100))
    assert 2.5 < (few.high - few.low) / (many.high - many.low) < 4


@pytest.mark.parametrize(("labels", "size"), [([], 5), ([0, 1], 1)])
def test_a_stratum_needs_labels_and_not_more_than_it_has(labels: list[int], size: int) -> None:
    with pytest.raises(ValueError, match=f"a stratum of {size} responses needs 1 to {size} labels"):
        stratum(labels, size=size)


def test_nothing_to_estimate_from_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one stratum"):
        prediction_powered([])
