"""A constant model raises no more alarms than the knob allows, whatever its users do; a change is found soon, and dated.

Seeds are fixed. Bounds are those of a Poisson count or a mean at three standard errors and more: they fail for a real cause only.
"""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from stream.core.events import AlertEvent, Rule, Status
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from tests.simulation.logs import BROKEN, BUSY, QUIET, SWAPPED, Categories, draw, judged, scored, shares

KNOB = 2_000
SETTINGS = EngineSettings(window=500, stride=100, learn_from=1_000, false_alarm_interval=KNOB)
UNFITTED = shares(0.0276, 0.0206, 0.2271, 0.0131)
"""A reference that nothing was fitted to."""

Shares = npt.NDArray[np.float64]


def alarms(categories: Categories, rule: Rule, settings: EngineSettings = SETTINGS) -> tuple[int, int]:
    """Number of alarms of a rule, and of responses in which it could have raised one."""
    events = [alert for alert in judged(categories, settings)[1] if alert.rule is rule]
    ready = len(categories) - settings.learn_from
    for firing, resolved in zip(events[::2], [*events[1::2], None], strict=False):
        ready -= (resolved.seq if resolved else len(categories)) - firing.seq
    return sum(alert.status is Status.FIRING for alert in events), ready


def check_rate(found: list[tuple[int, int]]) -> None:
    count, ready = (sum(column) for column in zip(*found, strict=True))
    expected = ready / KNOB
    assert expected > 50
    assert count <= expected + 3.5 * math.sqrt(expected)
    assert count >= 0.5 * expected


def modulated(calm: float, wave: float, n: int, seed: int) -> Categories:
    """Constant behaviour under a share of harmful requests that switches between two levels, for 200 responses on average each."""
    random = np.random.default_rng(seed)
    switches = np.cumsum(random.random(n) < 1 / 200) % 2
    harmful = random.random(n) < np.where(switches == 1, wave, calm)
    behaviour = random.random(n)
    answered = np.where(harmful, np.where(behaviour < 0.25, 1, 2), np.where(behaviour < 0.03, 3, 0))
    return np.where(random.random(n) < 0.03, 4, answered).astype(np.uint8)


@pytest.mark.parametrize("model", [QUIET, BUSY, UNFITTED], ids=["quiet", "busy", "unfitted"])
@pytest.mark.parametrize("rule", [Rule.DRIFT, Rule.TRAFFIC_MIX])
def test_a_constant_model_alarms_as_often_as_the_knob_says(model: Shares, rule: Rule) -> None:
    check_rate([alarms(draw(model, 12_000, seed), rule) for seed in range(30)])


def test_declared_changes_raise_no_more_false_alarms() -> None:
    settings = replace(SETTINGS, scenarios=("helpful_misaligned=x3", "refusal_excessive=x3", "off_topic=x3"))
    check_rate([alarms(draw(UNFITTED, 12_000, seed), Rule.DRIFT, settings) for seed in range(30)])


def test_a_guaranteed_interval_is_longer_than_the_knob() -> None:
    known = tuple(np.round(UNFITTED * 10**9).astype(int).tolist())
    settings = replace(SETTINGS, reference=known, guarantee=True)
    counts, ready = zip(
        *(alarms(draw(UNFITTED, 12_000, seed), Rule.DRIFT, settings) for seed in range(40)), strict=True
    )
    assert 0.5 * sum(ready) / KNOB < sum(counts) < sum(ready) / KNOB


def test_a_declared_change_is_found_sooner() -> None:
    """On equal logs, each with the change after 300 responses; the declared one is known as such, and the others half as much."""
    settings = EngineSettings(
        reference=tuple(np.round(BUSY * 10**9).astype(int).tolist()), watch="all", traffic_mix=False
    )
    told = replace(settings, scenarios=("swap=helpful_misaligned/refusal_appropriate",))
    delays = []
    for seed in range(60):
        log = np.concatenate([draw(BUSY, 300, seed), draw(SWAPPED, 2_000, seed + 1_000)])
        found = [[alert.seq for alert in judged(log, each)[1]] for each in (settings, told)]
        if all(seqs and seqs[0] >= 300 for seqs in found):
            delays.append([seqs[0] - 299 for seqs in found])
    plain, declared = np.mean(delays, axis=0)
    assert len(delays) > 50
    assert declared < 0.85 * plain


def test_traffic_that_comes_in_waves_does_not_fire_the_behaviour_rule() -> None:
    check_rate([alarms(modulated(0.05, 0.4, 12_000, seed), Rule.DRIFT) for seed in range(30)])


def test_the_papers_rule_fires_on_noise_about_490_times_in_10000_responses() -> None:
    settings = EngineSettings(window=100, stride=1, learn_from=100_000, epsilon=0.001)
    drift, alerts = judged(draw(QUIET, 10_101, 1), settings)
    above = [event.delta is not None and abs(event.delta) > 0.001 for event in drift]
    assert abs(sum(above) - 490) <= 4 * math.sqrt(490)
    firing = [alert for alert in alerts if alert.status is Status.FIRING]
    rises = sum(now and not before for before, now in zip([False, *above], above, strict=False))
    assert {alert.rule for alert in alerts} == {Rule.ENTROPY_RATE}
    assert len(firing) == rises


def first_alarm(model: Shares, changed: Shares, seed: int) -> AlertEvent | None:
    """The first alarm after a change at response 6,000, of a monitor that has not alarmed before."""
    settings = EngineSettings(learn_from=5_000, watch="all", traffic_mix=False)
    monitor = Monitor("m", settings)
    if monitor.observe(scored(draw(model, 6_000, seed))).alerts:
        return None
    observed = monitor.observe(scored(draw(changed, 4_000, seed + 10_000), start=6_000))
    return observed.alerts[0] if observed.alerts else None


@pytest.mark.parametrize(
    ("model", "changed", "oracle", "times"),
    [(QUIET, BROKEN, 20, 1.6), (BUSY, SWAPPED, 105, 2.1)],
    ids=["broken", "swapped"],
)
def test_a_change_is_found_and_dated_nearly_as_soon_as_by_a_detector_that_knows_it(
    model: Shares, changed: Shares, oracle: int, times: float
) -> None:
    """`oracle` is the mean delay of a CUSUM that knows both distributions, at one false alarm in 10,000."""
    found = [alert for seed in range(70) if (alert := first_alarm(model, changed, seed))]
    delays = np.array([alert.seq - 5_999 for alert in found])
    assert len(found) >= 40
    assert delays.mean() <= times * oracle
    errors = np.array([abs(alert.onset.seq - 6_000) for alert in found])
    assert np.median(errors) <= 0.4 * oracle
    covered = np.mean([alert.onset.low <= 6_000 * 1_000_000 <= alert.onset.high for alert in found])
    assert covered >= 0.8
