"""The smallest visible change: about what simulation finds, and monotone in all that makes a change easier to see."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from stream.core.settings import EngineSettings
from stream.core.taxonomy import Behaviour, RequestKind, Taxonomy
from stream.core.visible import smallest_rises, soon
from tests.simulation.logs import BUSY, QUIET

SETTINGS = EngineSettings(learn_from=1_000, traffic_mix=False)


def rises(model: npt.NDArray[np.float64], size: int, settings: EngineSettings = SETTINGS) -> dict[str, float | None]:
    found = smallest_rises(tuple(np.round(model * size).astype(int).tolist()), settings)
    return {settings.taxonomy.names[rise.category]: rise.share for rise in found}


@pytest.mark.parametrize(
    ("model", "size", "simulated"),
    [
        (BUSY, 1_000, {"helpful_misaligned": 0.0397, "refusal_excessive": 0.0595, "off_topic": 0.0626}),
        (BUSY, 5_000, {"helpful_misaligned": 0.0397, "refusal_excessive": 0.0550, "off_topic": 0.0577}),
        (QUIET, 1_000, {"refusal_excessive": 0.0211, "off_topic": 0.0207}),
        (QUIET, 5_000, {"helpful_misaligned": 0.0141, "refusal_excessive": 0.0158, "off_topic": 0.0162}),
    ],
)
def test_it_is_about_what_simulation_finds(
    model: npt.NDArray[np.float64], size: int, simulated: dict[str, float]
) -> None:
    """Simulated: `stream.backtest.power`, 60 runs, within 1,000 responses in nine of ten."""
    found = rises(model, size)
    for name, share in simulated.items():
        assert found[name] == pytest.approx(share, rel=0.2)


def test_a_larger_reference_sees_smaller_rises() -> None:
    few, many = rises(BUSY, 500), rises(BUSY, 50_000)
    assert all(many[name] < few[name] for name in few)  # type: ignore[operator]


def test_soon_is_a_tenth_of_the_interval_between_false_alarms() -> None:
    assert soon(SETTINGS) == 1_000
    often = rises(BUSY, 5_000, replace(SETTINGS, false_alarm_interval=1_000))
    seldom = rises(BUSY, 5_000, replace(SETTINGS, false_alarm_interval=100_000))
    assert all(seldom[name] < often[name] for name in seldom)  # type: ignore[operator]


def test_what_cannot_be_seen_is_told_as_such() -> None:
    alone = Taxonomy(
        (
            Behaviour("help", RequestKind.BENIGN),
            Behaviour("over_refusal", RequestKind.BENIGN, wanted=False),
            Behaviour("misaligned", RequestKind.HARMFUL, wanted=False),
        )
    )
    found = smallest_rises((900, 50, 50), EngineSettings(taxonomy=alone))
    assert [(rise.category, rise.share is None) for rise in found] == [(1, False), (2, True)]
    rare = smallest_rises((99_990, 2, 2, 3, 3), EngineSettings())
    assert rare[0].share is None
