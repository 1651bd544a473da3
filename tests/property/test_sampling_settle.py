"""What stopping early costs and saves, on simulated sets whose truth is known; docs/sampling.md quotes these figures."""

import numpy as np
import numpy.typing as npt
import pytest

from stream.sampling.estimates import pool
from stream.sampling.settle import LOOK, Settled
from tests.property.test_sampling_estimates import ask, design, plug_in

K = 100


def asked_until_settled(
    shares: npt.NDArray[np.float64], rule: Settled, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    table = np.zeros(shares.shape, np.int64)
    for row, own in zip(table, shares, strict=True):
        for size, answer in enumerate(rng.choice(5, size=K, p=own), 1):
            row[answer] += 1
            if size % LOOK == 0 and rule.holds(row.tolist()):
                break
    return table


def test_stopping_early_saves_almost_half_and_costs_no_more_than_asking_so_much_less() -> None:
    rng = np.random.default_rng(9)
    used, errors, widths, full = [], [], [], []
    for _ in range(30):
        shares = design(60, rng)
        found = pool(asked_until_settled(shares, Settled(), rng))
        used.append(found.answers / (60 * K))
        errors.append(found.entropy.corrected - plug_in(shares.mean(axis=0)))
        widths.append(found.error)
        full.append(pool(ask(shares, K, rng)).error)
    part = float(np.mean(used))
    assert 0.45 < part < 0.60
    assert abs(np.mean(errors)) < 0.006, "the bias stays a small part of the interval"
    assert np.mean(widths) / np.mean(full) == pytest.approx(part**-0.5, rel=0.08), (
        "as if every prompt had been asked less"
    )


@pytest.mark.parametrize(
    ("counts", "settled"),
    [([40, 0, 0, 0, 0], True), ([0, 40, 0, 0, 0], True), ([49, 1, 0, 0, 0], True), ([39, 1, 0, 0, 0], False)],
)
def test_the_rule_looks_at_the_distribution_not_at_its_names(*, counts: list[int], settled: bool) -> None:
    assert Settled().holds(counts) is settled


def test_too_few_answers_settle_nothing() -> None:
    assert not Settled(tolerance=10.0, least=20).holds([19, 0, 0, 0, 0])


@pytest.mark.parametrize("fields", [{"tolerance": 0.0}, {"least": 1}])
def test_a_rule_refuses_what_makes_no_sense(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Settled(**fields)
