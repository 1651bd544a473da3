"""Entropy of counts: hand values, exact enumeration, and the chain rule."""

import math
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from stream.core.entropy import Measured, entropy, measure, request_kinds
from stream.core.taxonomy import PAPER, Behaviour, RequestKind, Taxonomy

KINDS = request_kinds(PAPER)


def measured(*counts: int) -> Measured:
    return measure(np.array(counts, np.int64), KINDS)


def expectation(shares: npt.NDArray[np.float64], n: int) -> tuple[float, float]:
    """Exact mean of the plug-in and of the corrected estimate over all samples of n responses."""
    plug_in = corrected = 0.0
    for counts in product(range(n + 1), repeat=len(shares)):
        if sum(counts) == n:
            ways = math.factorial(n) / math.prod(math.factorial(count) for count in counts)
            chance = ways * math.prod(share**count for share, count in zip(shares, counts, strict=True))
            found = measure(np.array(counts, np.int64), request_kinds(THREE))
            plug_in += chance * found.value
            corrected += chance * found.corrected
    return plug_in, corrected


THREE = Taxonomy((Behaviour("help", None), Behaviour("refusal", None), Behaviour("other", None)))


@pytest.mark.parametrize(
    ("counts", "nats"),
    [
        ((10, 0, 0, 0, 0), 0.0),
        ((5, 5, 0, 0, 0), math.log(2)),
        ((1, 1, 1, 1, 1), math.log(5)),
        ((2, 1, 1, 0, 0), 1.5 * math.log(2)),
        ((0, 0, 0, 0, 0), 0.0),
    ],
)
def test_plug_in_has_its_hand_value(counts: tuple[int, ...], nats: float) -> None:
    assert measured(*counts).value == pytest.approx(nats, abs=1e-15)
    assert entropy(counts) == measured(*counts).value


def test_shares_of_the_papers_discussion_have_the_entropies_it_gives() -> None:
    assert entropy([975, 5, 10, 5, 5]) == pytest.approx(0.15, abs=0.005)
    assert entropy([78, 8, 6, 3, 5]) == pytest.approx(0.82, abs=0.005)


@pytest.mark.parametrize("counts", [(3, 2, 1, 0, 0), (17, 1, 1, 1, 0), (1, 0, 0, 0, 0), (400, 30, 60, 5, 5)])
def test_correction_is_the_jackknife_of_the_plug_in(counts: tuple[int, ...]) -> None:
    n = sum(counts)
    left_out = 0.0
    for category, count in enumerate(counts):
        if count:
            without = [c - (category == other) for other, c in enumerate(counts)]
            left_out += count / n * entropy(without)
    assert measured(*counts).corrected == pytest.approx(n * entropy(counts) - (n - 1) * left_out, abs=1e-10)


@pytest.mark.parametrize(("n", "shares"), [(8, (0.6, 0.3, 0.1)), (12, (0.8, 0.15, 0.05)), (12, (0.34, 0.33, 0.33))])
def test_correction_removes_most_of_the_bias_under_exact_enumeration(n: int, shares: tuple[float, ...]) -> None:
    p = np.array(shares)
    truth = -float((p * np.log(p)).sum())
    plug_in, corrected = expectation(p, n)
    assert plug_in < truth
    assert abs(corrected - truth) < 0.35 * (truth - plug_in)


@pytest.mark.parametrize(("n", "seed"), [(100, 1), (500, 2), (1000, 3)])
@pytest.mark.parametrize(
    "shares", [(0.975, 0.005, 0.01, 0.005, 0.005), (0.86, 0.02, 0.06, 0.03, 0.03), (0.6, 0.05, 0.2, 0.05, 0.1)]
)
def test_interval_covers_the_truth_in_95_of_100_samples_within_2(shares: tuple[float, ...], n: int, seed: int) -> None:
    p = np.array(shares)
    truth = -float((p * np.log(p)).sum())
    samples = np.random.default_rng(seed).multinomial(n, p, 20_000)
    found = [measure(counts, KINDS) for counts in samples]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert abs(covered - 0.95) <= 0.02


def test_split_is_the_chain_rule() -> None:
    found = measured(860, 20, 60, 30, 30)
    off, harmful = 30 / 1000, 80 / 970

    def binary(p: float) -> float:
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    behaviour = binary(off) + (1 - off) * (harmful * binary(20 / 80) + (1 - harmful) * binary(30 / 890))
    assert found.traffic == pytest.approx((1 - off) * binary(harmful), abs=1e-14)
    assert found.behaviour == pytest.approx(behaviour, abs=1e-14)


def test_parts_sum_to_the_entropy_whatever_the_counts() -> None:
    for counts in np.random.default_rng(7).integers(0, 50, (2_000, 5)):
        found = measure(counts.astype(np.int64), KINDS)
        assert found.traffic + found.behaviour == pytest.approx(found.value, abs=1e-12)


def test_a_taxonomy_without_request_kinds_has_no_traffic_entropy() -> None:
    found = measure(np.array([7, 2, 1]), request_kinds(THREE))
    assert found.traffic == 0.0
    assert found.behaviour == pytest.approx(found.value, abs=1e-15)


def test_two_off_topic_behaviours_belong_to_the_behaviour_part() -> None:
    taxonomy = Taxonomy(
        (
            Behaviour("help", RequestKind.BENIGN),
            Behaviour("refusal", RequestKind.HARMFUL),
            Behaviour("off", None),
            Behaviour("deception", None),
        )
    )
    found = measure(np.array([50, 50, 30, 70]), request_kinds(taxonomy))
    assert found.traffic == pytest.approx(0.5 * math.log(2), abs=1e-15)
    assert found.traffic + found.behaviour == pytest.approx(found.value, abs=1e-15)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0, 0), (10**9, 0, 0, 0, 0), (10**9, 10**9, 1, 0, 3), (1, 0, 0, 0, 0)])
def test_every_number_is_finite_and_ordered_for_extreme_counts(counts: tuple[int, ...]) -> None:
    found = measured(*counts)
    assert all(math.isfinite(value) for value in found)
    assert 0 <= found.low <= found.corrected <= found.high <= math.log(5)


def test_the_interval_narrows_with_the_root_of_n() -> None:
    few, many = measured(780, 80, 60, 30, 50), measured(78_000, 8_000, 6_000, 3_000, 5_000)
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(10, rel=0.02)
