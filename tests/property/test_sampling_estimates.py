"""Estimates of probes against exact enumeration and against simulated probes whose truth is known."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sampling.estimates import Parts, decompose, half_width, of_prompt, pool

Shares = npt.NDArray[np.float64]


def plug_in(shares: Shares) -> float:
    return -math.fsum(share * math.log(share) for share in shares.tolist() if share > 0)


def outcomes(n: int, m: int) -> Iterator[tuple[int, ...]]:
    """All ways to put n answers into m behaviours."""
    for bars in itertools.combinations(range(n + m - 1), m - 1):
        edges = (-1, *bars, n + m - 1)
        yield tuple(right - left - 1 for left, right in itertools.pairwise(edges))


def probability(counts: tuple[int, ...], shares: Shares) -> float:
    ways = math.factorial(sum(counts)) / math.prod(map(math.factorial, counts))
    return float(ways * math.prod(share**count for share, count in zip(shares.tolist(), counts, strict=True)))


DISTRIBUTIONS = [
    np.array([0.7, 0.2, 0.1]),
    np.array([0.5, 0.5, 0.0]),
    np.array([0.4, 0.35, 0.25]),
    np.array([0.85, 0.1, 0.05]),
]


@pytest.mark.parametrize("shares", DISTRIBUTIONS)
@pytest.mark.parametrize("n", [4, 8, 12])
def test_the_correction_of_one_prompt_removes_most_of_the_bias_by_exact_enumeration(shares: Shares, n: int) -> None:
    weights = [(probability(counts, shares), of_prompt(np.array(counts))) for counts in outcomes(n, 3)]
    assert sum(weight for weight, _ in weights) == pytest.approx(1)
    truth = plug_in(shares)
    plain = sum(weight * found.value for weight, found in weights) - truth
    corrected = sum(weight * found.corrected for weight, found in weights) - truth
    assert plain < 0
    assert abs(corrected) < 0.55 * abs(plain)


@pytest.mark.parametrize("pair", list(itertools.combinations(DISTRIBUTIONS, 2)))
def test_the_correction_of_a_set_removes_most_of_the_bias_by_exact_enumeration(pair: tuple[Shares, Shares]) -> None:
    k = 6
    truth = plug_in((pair[0] + pair[1]) / 2)
    plain = corrected = 0.0
    for first, second in itertools.product(outcomes(k, 3), repeat=2):
        weight = probability(first, pair[0]) * probability(second, pair[1])
        found = pool(np.array([first, second])).entropy
        plain += weight * (found.value - truth)
        corrected += weight * (found.corrected - truth)
    assert plain < 0
    assert abs(corrected) < 0.4 * abs(plain)


def design(prompts: int, rng: np.random.Generator) -> Shares:
    """Prompts of three kinds as the shipped set has them: some refuse sometimes, each with a rate of its own."""
    shares = np.zeros((prompts, 5))
    for number, row in enumerate(shares):
        off = rng.beta(0.5, 30)
        unwanted = rng.beta(*[(0.5, 10), (0.5, 1.2), (0.4, 3)][number % 3])
        wanted, other = [(0, 3), (0, 3), (2, 1)][number % 3]
        row[[wanted, other, 4]] = (1 - off) * (1 - unwanted), (1 - off) * unwanted, off
    return shares


def ask(shares: Shares, k: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.array([rng.multinomial(k, row) for row in shares])


@pytest.mark.parametrize(("prompts", "k"), [(60, 10), (60, 50), (60, 100), (12, 100)])
def test_the_interval_of_a_set_covers_the_truth_in_95_of_100_cases(prompts: int, k: int) -> None:
    rng = np.random.default_rng(20_260_301)
    covered = 0
    for _ in range(40):  # different sets, because a single one may be lucky
        shares = design(prompts, rng)
        truth = plug_in(shares.mean(axis=0))
        found = [pool(ask(shares, k, rng)).entropy for _ in range(50)]
        covered += sum(each.low <= truth <= each.high for each in found)
    # 2,000 trials: the standard error of the coverage is 0.5 %.
    assert covered / 2000 == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("concentration", [0.3, 0.5])
def test_the_interval_of_one_prompt_covers_the_truth_in_95_of_100_cases_on_average(concentration: float) -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for shares in rng.dirichlet([concentration] * 5, size=1500):
        found = of_prompt(rng.multinomial(100, shares))
        covered += found.low <= plug_in(shares) <= found.high
    assert covered / 1500 == pytest.approx(0.95, abs=0.02)


def test_the_interval_of_a_prompt_answered_in_two_ways_covers_the_truth_by_exact_enumeration() -> None:
    k = 100
    found = [of_prompt(np.array([kept, k - kept, 0, 0, 0])) for kept in range(k + 1)]
    coverages = []
    for share in np.arange(0.6, 0.99, 0.01):
        truth = plug_in(np.array([share, 1 - share]))
        chances = [math.comb(k, kept) * share**kept * (1 - share) ** (k - kept) for kept in range(k + 1)]
        coverages.append(sum(p for p, each in zip(chances, found, strict=True) if each.low <= truth <= each.high))
    assert np.mean(coverages) == pytest.approx(0.95, abs=0.01)
    assert 0.92 < min(coverages) <= max(coverages) < 0.98


@pytest.mark.parametrize(
    "shares",
    [(0.7, 0.0, 0.0, 0.25, 0.05), (0.4, 0.3, 0.15, 0.1, 0.05), (0.97, 0.0, 0.0, 0.03, 0.0), (0.9, 0.0, 0.0, 0.1, 0.0)],
)
def test_the_interval_of_no_single_prompt_covers_much_less(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(8)
    truth = plug_in(np.array(shares))
    found = [of_prompt(counts) for counts in rng.multinomial(100, shares, size=800)]
    assert np.mean([each.low <= truth <= each.high for each in found]) > 0.91


tables = st.lists(
    st.lists(st.integers(0, 40), min_size=5, max_size=5).filter(lambda row: sum(row) > 1), min_size=1, max_size=8
).map(lambda rows: np.array(rows, np.int64))


@given(tables)
def test_within_and_between_add_up_and_nothing_leaves_its_range(table: npt.NDArray[np.int64]) -> None:
    found = pool(table)
    assert found.within + found.between == pytest.approx(found.entropy.value)
    assert 0 <= found.entropy.low <= found.entropy.corrected <= found.entropy.high <= math.log(5)
    assert found.entropy.corrected >= found.entropy.value - 1e-12 or found.entropy.corrected == pytest.approx(
        math.log(5)
    )
    assert found.answers == table.sum()


@given(tables, st.permutations(range(5)))
def test_the_order_of_prompts_and_behaviours_changes_nothing(table: npt.NDArray[np.int64], order: list[int]) -> None:
    shuffled = table[::-1][:, order]
    assert pool(shuffled).entropy.corrected == pytest.approx(pool(table).entropy.corrected)
    assert pool(shuffled).error == pytest.approx(pool(table).error)


@given(tables)
def test_a_prompt_weighs_the_same_however_often_it_was_asked(table: npt.NDArray[np.int64]) -> None:
    more = table.copy()
    more[0] *= 7
    assert pool(more).entropy.value == pytest.approx(pool(table).entropy.value)


def test_for_a_single_prompt_the_bias_is_that_of_miller_and_madow() -> None:
    counts = np.array([[60, 30, 10, 0, 0]])
    found = pool(counts).entropy
    # (m - 1)/2n with n - 1 in place of n, because the variance of a share is estimated without bias
    assert found.corrected - found.value == pytest.approx((3 - 1) / (2 * 99))


def test_a_set_without_a_second_answer_cannot_be_pooled() -> None:
    with pytest.raises(ValueError, match="two answers"):
        pool(np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]))


def test_the_width_foretold_for_another_k_is_the_width_found_there() -> None:
    rng = np.random.default_rng(3)
    shares = design(60, rng)
    foretold = np.mean([half_width(ask(shares, 100, rng), 25) for _ in range(50)])
    found = np.mean([1.96 * pool(ask(shares, 25, rng)).error for _ in range(50)])
    assert foretold == pytest.approx(found, rel=0.03)


PERFECT = np.eye(5, dtype=np.int64) * 10_000_000


def test_the_parts_of_the_variance_are_found_again() -> None:
    rng = np.random.default_rng(11)
    k, prompts = 20, 30
    base = design(prompts, rng)
    # Models that differ: each mixes its own amount of off-topic answers into every prompt.
    amounts = rng.uniform(0.0, 0.10, size=400)
    truths = [(1 - amount) * base + amount * np.eye(5)[4] for amount in amounts]
    found = decompose([ask(truth, k, rng) for truth in truths], PERFECT, draws=20, rng=rng)
    between = np.var([plug_in(truth.mean(axis=0)) for truth in truths], ddof=1)
    sampling = np.mean(
        [np.var([pool(ask(truth, k, rng)).entropy.corrected for _ in range(60)], ddof=1) for truth in truths[:20]]
    )
    assert found.model == pytest.approx(between, rel=0.15)
    assert found.sampling == pytest.approx(sampling, rel=0.15)
    assert found.classifier < 0.01 * found.sampling


def test_models_that_are_the_same_have_no_part_of_their_own() -> None:
    rng = np.random.default_rng(12)
    shares = design(30, rng)
    found = decompose([ask(shares, 20, rng) for _ in range(300)], PERFECT, draws=20, rng=rng)
    assert found.model < 0.2 * found.sampling


def test_the_classifier_s_part_shrinks_with_the_answers_it_was_judged_on() -> None:
    rng = np.random.default_rng(13)
    answers = [ask(design(30, rng), 20, rng) for _ in range(3)]
    confusion = np.full((5, 5), 2) + np.eye(5, dtype=np.int64) * 40
    few, many = (decompose(answers, confusion * times, draws=4000, rng=rng).classifier for times in (1, 16))
    assert few / many == pytest.approx(16, rel=0.25)


def test_shares_of_no_variance_are_no_numbers() -> None:
    assert all(map(math.isnan, Parts(sampling=0.0, classifier=0.0, model=0.0).shares))
    assert Parts(sampling=3.0, classifier=1.0, model=0.0).shares == (0.75, 0.25, 0.0)
