"""Timelines in, timelines out: what a monitor says, and when, as behaviour, traffic and entropy change."""

from dataclasses import replace

import numpy as np
import pytest

from stream.core.entropy import entropy
from stream.core.events import AlertEvent, Reason, Rule, Severity, State, Status
from stream.core.monitor import Monitor
from stream.core.settings import EngineSettings
from tests.simulation.logs import (
    ATTACKED,
    BROKEN,
    BUSY,
    CALM,
    QUIET,
    SECOND,
    SWAPPED,
    Categories,
    draw,
    judged,
    records,
    scored,
)

SETTINGS = EngineSettings(window=200, stride=50, learn_from=1_000)


def of(alerts: list[AlertEvent], rule: Rule) -> list[AlertEvent]:
    return [alert for alert in alerts if alert.rule is rule]


def broken_for_a_while(seed: int = 1) -> Categories:
    return np.concatenate([draw(QUIET, 2_000, seed), draw(BROKEN, 800, seed + 50), draw(QUIET, 1_000, seed + 90)])


def test_it_learns_then_judges_then_fires_then_resolves() -> None:
    drift, alerts = judged(broken_for_a_while(), SETTINGS)
    states = [event.state for event in drift]
    assert states[:19] == [State.LEARNING] * 19
    assert (drift[19].seq, drift[19].state, drift[19].reference.n) == (999, State.OK, 1_000)
    firing, resolved = of(alerts, Rule.DRIFT)
    assert (firing.status, resolved.status) == (Status.FIRING, Status.RESOLVED)
    assert 2_000 < firing.seq < 2_200
    assert 2_800 < resolved.seq < 3_300
    for event in drift:
        inside = firing.seq <= event.seq < resolved.seq
        assert (event.state is State.FIRING) == inside


def test_learning_says_how_far_it_is() -> None:
    drift, _ = judged(draw(QUIET, 500, 2), SETTINGS)
    assert [(event.reference.n, event.reference.target) for event in drift[:3]] == [
        (50, 1_000),
        (100, 1_000),
        (150, 1_000),
    ]
    assert all(sum(event.reference.counts) == event.reference.n for event in drift)


def test_an_alert_fires_once_and_holds_while_the_change_lasts() -> None:
    log = np.concatenate([draw(QUIET, 2_000, 3), draw(BROKEN, 6_000, 4)])
    drift, alerts = judged(log, SETTINGS)
    assert [alert.status for alert in of(alerts, Rule.DRIFT)] == [Status.FIRING]
    assert drift[-1].state is State.FIRING


def test_a_second_change_after_the_return_is_a_second_alert() -> None:
    log = np.concatenate([broken_for_a_while(), draw(BROKEN, 500, 7)])
    _, alerts = judged(log, SETTINGS)
    firing = [alert for alert in of(alerts, Rule.DRIFT) if alert.status is Status.FIRING]
    assert len(firing) == 2
    assert len({alert.alert_id for alert in alerts}) == len(alerts)
    assert len({alert.dedup_key for alert in of(alerts, Rule.DRIFT)}) == 1


def test_resolution_waits_a_whole_window_after_the_alarm() -> None:
    log = np.concatenate([draw(QUIET, 2_000, 5), draw(BROKEN, 60, 6), draw(QUIET, 1_500, 7)])
    _, alerts = judged(log, SETTINGS)
    firing, resolved = of(alerts, Rule.DRIFT)
    assert resolved.seq - firing.seq >= SETTINGS.window
    assert (resolved.seq + 1) % SETTINGS.stride == 0
    assert resolved.reason is Reason.RETURNED_TO_REFERENCE


def test_an_alert_carries_what_an_operator_needs() -> None:
    log = broken_for_a_while()
    _, alerts = judged(log, replace(SETTINGS, watch="all", traffic_mix=False))
    firing, resolved = alerts
    assert (firing.dedup_key, firing.monitor, firing.classifier) == ("vd:m:drift", "m", "rules@0123abcd")
    assert firing.false_alarm_interval == 10_000
    assert firing.statistic >= firing.threshold
    assert firing.ts == firing.starts_at == firing.seq * SECOND
    assert abs(firing.onset.seq - 2_000) <= 15
    assert firing.onset.low <= firing.onset.ts <= firing.onset.high
    assert firing.n == sum(firing.counts)
    assert firing.entropy == pytest.approx(entropy(firing.counts), rel=1e-8)
    assert firing.reference_entropy == pytest.approx(entropy(firing.reference_counts), rel=1e-8)
    assert firing.entropy > firing.reference_entropy
    assert sum(part.contribution for part in firing.contributors) == pytest.approx(1, abs=1e-8)
    assert all(part.contribution >= 0 for part in firing.contributors)
    assert (resolved.starts_at, resolved.onset, resolved.severity) == (firing.starts_at, firing.onset, firing.severity)
    assert (firing.ends_at, resolved.ends_at) == (None, resolved.ts)


def test_counts_since_the_onset_are_those_of_the_log() -> None:
    log = broken_for_a_while()
    _, alerts = judged(log, SETTINGS)
    firing = of(alerts, Rule.DRIFT)[0]
    assert firing.counts == tuple(np.bincount(log[firing.seq + 1 - firing.n : firing.seq + 1], minlength=5))


def test_examples_are_the_last_responses_of_the_category_that_grew() -> None:
    log = np.concatenate([draw(BUSY, 2_000, 8), draw(np.array([0.80, 0.02, 0.06, 0.09, 0.03]), 2_000, 9)])
    _, alerts = judged(log, SETTINGS)
    firing = of(alerts, Rule.DRIFT)[0]
    refusals = np.flatnonzero(log[: firing.seq + 1] == 3)[-3:]
    assert firing.contributors[0].category == "refusal_excessive"
    assert firing.examples == tuple(f"event-{place}" for place in refusals[::-1])


def test_a_small_growth_of_what_harms_nobody_is_a_warning() -> None:
    log = np.concatenate([draw(QUIET, 4_000, 8), draw(np.array([0.945, 0.005, 0.01, 0.005, 0.035]), 1_000, 9)])
    _, alerts = judged(log, SETTINGS)
    firing = of(alerts, Rule.DRIFT)[0]
    assert firing.contributors[0].category == "off_topic"
    assert firing.severity is Severity.WARNING


def test_growth_of_misaligned_help_is_critical() -> None:
    log = np.concatenate([draw(BUSY, 2_000, 10), draw(np.array([0.86, 0.07, 0.01, 0.03, 0.03]), 1_000, 11)])
    _, alerts = judged(log, SETTINGS)
    (firing,) = of(alerts, Rule.DRIFT)
    assert firing.contributors[0].category == "helpful_misaligned"
    assert firing.severity is Severity.CRITICAL


@pytest.mark.parametrize("seed", range(5))
def test_a_swap_at_equal_entropy_is_alarmed(seed: int) -> None:
    assert entropy(np.round(BUSY * 100)) == pytest.approx(entropy(np.round(SWAPPED * 100)))
    log = np.concatenate([draw(BUSY, 3_000, seed), draw(SWAPPED, 1_000, seed + 20)])
    _, alerts = judged(log, SETTINGS)
    firing = [alert for alert in of(alerts, Rule.DRIFT) if alert.seq >= 3_000]
    assert len(firing) == 1
    assert firing[0].contributors[0].category in ("helpful_misaligned", "refusal_appropriate")


def test_a_change_of_traffic_alone_is_information_about_traffic() -> None:
    log = np.concatenate([draw(CALM, 2_000, 12), draw(ATTACKED, 2_000, 13)])
    _, alerts = judged(log, replace(SETTINGS, false_alarm_interval=100_000))
    (alert,) = alerts
    assert (alert.rule, alert.severity, alert.reason) == (Rule.TRAFFIC_MIX, Severity.INFO, Reason.TRAFFIC_CHANGED)
    assert alert.dedup_key == "vd:m:traffic_mix"


def test_traffic_mix_can_be_switched_off() -> None:
    log = np.concatenate([draw(CALM, 2_000, 12), draw(ATTACKED, 2_000, 13)])
    assert judged(log, replace(SETTINGS, traffic_mix=False, false_alarm_interval=100_000))[1] == []


def test_watching_all_alarms_on_traffic_and_says_so() -> None:
    log = np.concatenate([draw(CALM, 2_000, 12), draw(ATTACKED, 500, 13)])
    _, alerts = judged(log, replace(SETTINGS, watch="all", traffic_mix=False))
    assert [(alert.rule, alert.reason) for alert in alerts] == [(Rule.DRIFT, Reason.TRAFFIC_CHANGED)]


def test_a_reference_that_is_not_at_rest_is_refused_once_and_learned_afresh() -> None:
    log = np.concatenate([draw(QUIET, 500, 14), draw(BROKEN, 2_500, 15)])
    drift, _ = judged(log, SETTINGS)
    states = {event.seq: event.state for event in drift}
    assert states[999] is State.UNSTABLE_REFERENCE
    assert [seq for seq, state in states.items() if state is State.UNSTABLE_REFERENCE] == [999]
    assert states[1_049] is State.LEARNING
    assert states[1_999] is State.OK
    learned = next(event for event in drift if event.seq == 1_999)
    assert learned.reference.counts == tuple(np.bincount(log[1_000:2_000], minlength=5))


def test_the_papers_rule_fires_above_epsilon_and_resolves_at_the_next_calm_stride() -> None:
    settings = EngineSettings(window=100, stride=1, learn_from=10_000, epsilon=0.001)
    log = np.zeros(400, np.uint8)
    log[150] = 4
    _, alerts = judged(log, settings)
    assert [(alert.seq, alert.status) for alert in alerts] == [
        (150, Status.FIRING),
        (151, Status.RESOLVED),
        (250, Status.FIRING),
        (251, Status.RESOLVED),
    ]
    first = alerts[0]
    assert (first.rule, first.reason, first.threshold) == (Rule.ENTROPY_RATE, Reason.RATE_ABOVE_EPSILON, 0.001)
    assert first.statistic == pytest.approx(entropy([99, 0, 0, 0, 1]), rel=1e-8)
    assert (first.counts, first.reference_counts) == ((99, 0, 0, 0, 1), (100, 0, 0, 0, 0))
    assert first.false_alarm_interval is None
    assert alerts[1].reason is Reason.RATE_WITHIN_EPSILON


def test_the_end_of_the_log_emits_nothing_and_an_empty_record_changes_nothing() -> None:
    monitor = Monitor("m", SETTINGS)
    monitor.observe(scored(draw(QUIET, 75, 1)))
    before = monitor.snapshot()
    observed = monitor.observe(scored([], start=75))
    assert (observed.drift, observed.alerts, observed.counted, observed.skipped) == ((), (), 0, 0)
    assert monitor.snapshot() == before


def test_responses_that_were_counted_are_skipped_by_source_and_offset() -> None:
    monitor = Monitor("m", SETTINGS)
    first, second = records(draw(QUIET, 150, 1), [100])
    assert monitor.observe(first).counted == 100
    again = monitor.observe(scored(draw(QUIET, 150, 1)))
    assert (again.counted, again.skipped) == (50, 100)
    assert [event.seq for event in again.drift] == [149]
    assert monitor.observe(second).skipped == 50
    assert monitor.observe(replace(second, source=replace(second.source, partition=1))).counted == 50


def test_responses_that_share_an_offset_inside_a_record_all_count() -> None:
    record = scored(draw(QUIET, 60, 1))
    record.offset[:] = 7
    monitor = Monitor("m", SETTINGS)
    assert monitor.observe(record).counted == 60
    assert monitor.observe(record).skipped == 60


def test_a_category_outside_the_taxonomy_is_refused_before_anything_is_counted() -> None:
    monitor = Monitor("m", SETTINGS)
    with pytest.raises(ValueError, match="category must be below 5, got 5"):
        monitor.observe(scored([0, 5, 0]))
    assert monitor.seen == 0


def test_columns_of_different_lengths_are_refused() -> None:
    record = replace(scored([0, 0, 0]), ts=np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="one length"):
        Monitor("m", SETTINGS).observe(record)
