"""Detection is no worse than at the last release; and the comparison sees what it must see."""

import pytest

from stream.core.settings import EngineSettings
from tests.simulation import detection_quality
from tests.simulation.detection_quality import ERRORS, KNOB, Figure, main, measured, read, worse


def test_detection_is_no_worse_than_at_the_last_release() -> None:
    found = worse(read().figures, measured())
    assert not found, "worse than at the last release: " + "; ".join(map(str, found))


def test_a_detector_that_is_too_calm_is_seen_to_be_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_quality, "DELAYS", 40)
    monkeypatch.setattr(detection_quality, "INTERVALS", 20)
    calm = EngineSettings(false_alarm_interval=20 * KNOB, watch="all", traffic_mix=False)
    names = [each.name for each in worse(read().figures, measured(calm))]
    assert sum(name.startswith("delay") for name in names) >= 5
    assert any(name.startswith("false alarms") for name in names)
    assert not worse(read().figures, read().figures)


@pytest.mark.parametrize(
    ("then", "now", "better", "is_worse"),
    [
        (100.0, 100 + 10 * (ERRORS + 1), "lower", True),
        (100.0, 100 + 10 * (ERRORS - 1), "lower", False),
        (100.0, 10.0, "lower", False),
        (2_000.0, 1_500.0, "nearer", True),
        (2_000.0, 2_700.0, "nearer", True),
        (1_500.0, 2_500.0, "nearer", False),
    ],
)
def test_a_figure_is_worse_beyond_its_error_only(then: float, now: float, better: str, is_worse: bool) -> None:  # noqa: FBT001
    error = 7.0 if better == "lower" else 50.0
    figures = [{"f": Figure(value, error, better)} for value in (then, now)]  # type: ignore[arg-type]  # one of two
    assert bool(worse(*figures)) is is_worse


def test_a_figure_that_is_gone_is_worse() -> None:
    assert [each.name for each in worse({"f": Figure(1.0, 9.0, "lower")}, {})] == ["f"]


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fast"]) == 2
    assert "--write" in capsys.readouterr().err
