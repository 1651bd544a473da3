"""What moved: each stream's evidence goes to the behaviour that one would name, and the parts add up."""

import math

import numpy as np
import pytest

from stream.core.detectors import design
from stream.core.evidence import parts_of_change
from stream.core.settings import EngineSettings, Watch

REFERENCE = np.array([86_000, 2_000, 6_000, 3_000, 3_000])


def parts(counts: list[int], watch: Watch = "behaviour") -> list[float]:
    made = design(EngineSettings(watch=watch))
    found, _ = parts_of_change(made, made.channels[0], np.array(counts), REFERENCE)
    assert found.sum() == pytest.approx(1)
    assert found.min() >= 0
    return [round(part, 3) for part in found.tolist()]


def divergence(now: float, before: float) -> float:
    """KL of one yes/no distribution from another."""
    return now * math.log(now / before) + (1 - now) * math.log((1 - now) / (1 - before))


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([86_000, 6_000, 2_000, 3_000, 3_000], [0, 1, 0, 0, 0]),  # the refusals only made room
        ([86_000, 500, 7_500, 3_000, 3_000], [0, 0, 1, 0, 0]),
        ([80_000, 2_000, 6_000, 9_000, 3_000], [0, 0, 0, 1, 0]),
        ([88_500, 2_000, 6_000, 500, 3_000], [1, 0, 0, 0, 0]),
        ([77_600, 1_800, 5_400, 2_700, 12_500], [0, 0, 0, 0, 1]),
        ([88_300, 2_050, 6_150, 3_080, 420], [0, 0, 0, 0, 1]),  # all others grew: what fell is the one to name
    ],
)
def test_a_change_of_one_behaviour_is_all_its_own(counts: list[int], expected: list[float]) -> None:
    assert parts(counts) == pytest.approx(expected, abs=0.002)


def test_two_changes_share_as_their_streams_have_evidence() -> None:
    harmful = 8 * divergence(0.5, 0.25)
    benign = 89 * divergence(9 / 89, 3 / 89)
    found = parts([80_000, 4_000, 4_000, 9_000, 3_000])
    assert found == pytest.approx([0, harmful / (harmful + benign), 0, benign / (harmful + benign), 0], abs=0.002)


def test_more_harmful_requests_are_no_part_of_behaviour_and_else_belong_to_both_answers_to_them() -> None:
    counts = [78_270, 4_000, 12_000, 2_730, 3_000]
    assert parts([*counts[:3], 4_000, 3_000]) == pytest.approx([0, 0, 0, 1, 0], abs=0.002)
    assert parts(counts, "all") == pytest.approx([0, 0.25, 0.75, 0, 0], abs=0.002)
