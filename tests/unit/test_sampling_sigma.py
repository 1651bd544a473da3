"""σ in live drift events: with it they carry the effective work rate, without it nothing."""

import numpy as np
import pytest

from stream.config import MonitorSettings, Settings
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER
from tests.simulation.logs import BROKEN, QUIET, draw, scored

LOG = draw(QUIET, 1_000, 1)


def test_drift_events_carry_sigma_less_the_slope_once_there_is_one() -> None:
    settings = EngineSettings(window=200, stride=50, learn_from=500, sigma=0.013)
    drift = Monitor("m", settings).observe(scored(LOG)).drift
    assert {event.sigma for event in drift} == {0.013}
    assert [event.gamma_eff is None for event in drift] == [event.rate is None for event in drift]
    slopes = [(event.gamma_eff, event.rate) for event in drift if event.rate is not None]
    assert len(slopes) > 10
    for gamma, rate in slopes:
        assert gamma == pytest.approx(0.013 - rate.value)
        assert rate.unit == "nats/stride"


def test_sigma_decides_nothing() -> None:
    log = np.concatenate([LOG, draw(BROKEN, 500, 2)])
    with_it, without = (
        Monitor("m", EngineSettings(window=200, stride=50, learn_from=500, sigma=sigma)).observe(scored(log))
        for sigma in (0.013, None)
    )
    assert with_it.alerts == without.alerts
    assert all(event.gamma_eff is None for event in without.drift)


def test_sigma_is_a_setting_of_the_monitor() -> None:
    assert Settings(monitor=MonitorSettings(sigma=0.012)).engine(PAPER).sigma == 0.012
    assert Settings().engine(PAPER).sigma is None


def test_sigma_must_be_a_number() -> None:
    with pytest.raises(ValueError, match="sigma must be a finite number"):
        EngineSettings(sigma=float("nan"))
