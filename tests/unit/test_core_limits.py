"""Rules with limits, and silence: timelines in, timelines out."""

from collections.abc import Sequence
from dataclasses import replace
from math import comb

import numpy as np
import pytest

from stream.core.control import Entry, Tick
from stream.core.entropy import entropy
from stream.core.events import AlertEvent, DriftEvent, Reason, Rule, Severity, State, Status
from stream.core.levels import tail
from stream.core.limits import Limit, NoData, Silence
from stream.core.monitor import Monitor
from stream.core.records import Scored, Source
from stream.core.settings import EngineSettings
from tests.simulation.logs import BROKEN, BUSY, QUIET, SECOND, Categories, collected, draw, scored

SETTINGS = EngineSettings(window=200, stride=50, learn_from=1_000)
MISALIGNED = Limit(rule=Rule.CATEGORY_SHARE, category=1, above=0.05)


def told(entries: Sequence[Entry], *limits: Limit, **more: object) -> tuple[list[DriftEvent], list[AlertEvent]]:
    monitor = Monitor("m", replace(SETTINGS, limits=limits, **more))  # type: ignore[arg-type]  # checked where it is made
    return collected([monitor.observe(entry) for entry in entries])


def bad_in_window(*numbers: int, category: int = 1) -> Categories:
    """A log in strides of 50, each with so many responses of the category at its end."""
    log = np.zeros(50 * len(numbers), np.uint8)
    for stride, number in enumerate(numbers):
        log[50 * (stride + 1) - number : 50 * (stride + 1)] = category
    return log


def timeline(alerts: list[AlertEvent], rule: Rule = Rule.CATEGORY_SHARE) -> list[tuple[int, Status, Reason]]:
    return [(alert.seq, alert.status, alert.reason) for alert in alerts if alert.rule is rule]


def smallest_certain(n: int, share: float, confidence: float) -> int:
    """The fewest of n that chance explains with at most 1 - confidence, from the binomial's definition."""
    ways = [comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(n + 1)]
    return next(x for x in range(n + 1) if sum(ways[x:]) <= 1 - confidence)


def test_a_share_fires_when_it_is_above_for_certain_and_resolves_when_it_is_back_itself() -> None:
    certain = smallest_certain(200, 0.05, 0.99)
    assert certain == 19
    # Windows of 200: 18 are above 5 %, but not for certain; 19 are; 11 hold the alert, 10 are back at 5 %.
    log = bad_in_window(4, 4, 5, 5, 5, 2, 1, 3, 4, 2)
    drift, alerts = told([scored(log)], MISALIGNED)
    assert [sum(event.counts[1:2]) for event in drift] == [4, 8, 13, 18, 19, 17, 13, 11, 10, 10]
    assert timeline(alerts) == [
        (249, Status.FIRING, Reason.ABOVE_LIMIT),
        (449, Status.RESOLVED, Reason.WITHIN_LIMIT),
    ]


def test_noise_about_the_limit_opens_no_second_alert() -> None:
    _, alerts = told([scored(bad_in_window(5, 5, 5, 5, 3, 3, 5, 3, 4, 5, 3, 3))], MISALIGNED)
    assert timeline(alerts) == [(199, Status.FIRING, Reason.ABOVE_LIMIT)]


def test_a_number_beyond_its_limit_by_chance_perhaps_is_pending() -> None:
    usual = (900, 60, 10, 20, 10)
    log = bad_in_window(2, 2, 2, 3, 4, 4, 3, 1, 0)
    drift, alerts = told([scored(log)], MISALIGNED, reference=usual, false_alarm_interval=10**9, traffic_mix=False)
    assert alerts == []
    assert [event.counts[1] for event in drift] == [2, 4, 6, 9, 11, 13, 14, 12, 8]
    assert [event.state for event in drift] == [State.OK] * 4 + [State.PENDING] * 4 + [State.OK]


def test_fewer_responses_than_the_minimum_decide_nothing() -> None:
    log = bad_in_window(50, 50, 50, 50)
    assert timeline(told([scored(log)], replace(MISALIGNED, min_n=100))[1])[0][0] == 99
    assert timeline(told([scored(log)], replace(MISALIGNED, min_n=200))[1])[0][0] == 199


def test_a_share_below_its_limit_alarms_too() -> None:
    helpful = Limit(rule=Rule.CATEGORY_SHARE, category=0, below=0.9, critical_at=0.5)
    _, alerts = told([scored(bad_in_window(0, 0, 0, 0, 15, 15, 15, 15, 0, 0, 0, 0))], helpful)
    firing, resolved = alerts
    assert (firing.reason, firing.severity, firing.threshold) == (Reason.BELOW_LIMIT, Severity.WARNING, 0.9)
    assert firing.statistic == firing.counts[0] / 200
    assert resolved.reason is Reason.WITHIN_LIMIT


def test_severity_goes_by_rule_and_by_size() -> None:
    limit = replace(MISALIGNED, severity=Severity.INFO, critical_at=0.2)
    (small,) = told([scored(bad_in_window(5, 5, 5, 5))], limit)[1]
    (perhaps,) = told([scored(bad_in_window(0, 0, 0, 45))], limit)[1]
    (large,) = told([scored(bad_in_window(0, 0, 5, 50))], limit)[1]
    assert smallest_certain(200, 0.2, 0.99) in range(46, 56)
    assert [alert.severity for alert in (small, perhaps, large)] == [Severity.INFO, Severity.INFO, Severity.CRITICAL]


def test_an_alert_names_its_behaviour_its_examples_and_when_it_went_beyond() -> None:
    log = bad_in_window(0, 0, 0, 0, 12, 8)
    _, alerts = told([scored(log)], MISALIGNED, no_data=None)
    (alert,) = [alert for alert in alerts if alert.rule is Rule.CATEGORY_SHARE]
    assert alert.dedup_key == "vd:m:category_share:helpful_misaligned"
    assert (alert.seq, alert.statistic, alert.threshold) == (299, 0.1, 0.05)
    assert alert.examples == ("event-299", "event-298", "event-297")
    assert alert.contributors[0].category == "helpful_misaligned"
    assert [part.contribution for part in alert.contributors] == [1, 0, 0, 0, 0]
    assert (alert.onset.seq, alert.onset.ts) == (200, 200 * SECOND)
    assert alert.onset.low == 0
    assert alert.onset.high == alert.ts
    assert alert.false_alarm_interval is None


def test_two_shares_are_two_incidents() -> None:
    limits = (MISALIGNED, replace(MISALIGNED, category=4))
    log = np.concatenate([bad_in_window(5, 5, 5, 5), bad_in_window(9, 9, 9, 9, category=4)])
    _, alerts = told([scored(log)], *limits)
    keys = {(alert.dedup_key.rpartition(":")[2], alert.status.value) for alert in alerts}
    assert {("helpful_misaligned", "firing"), ("off_topic", "firing"), ("helpful_misaligned", "resolved")} <= keys
    assert len({alert.alert_id for alert in alerts}) == len(alerts)


def test_entropy_alarms_above_and_below_its_level() -> None:
    limit = Limit(rule=Rule.ENTROPY_LEVEL, above=1.0, below=0.3)
    even = np.full(5, 0.2)
    log = np.concatenate([draw(BUSY, 400, 1), draw(even, 600, 2), draw(BUSY, 500, 3), np.zeros(600, np.uint8)])
    _, alerts = told([scored(log)], limit)
    found = [alert for alert in alerts if alert.rule is Rule.ENTROPY_LEVEL]
    assert [alert.reason for alert in found] == [Reason.ABOVE_LIMIT, Reason.WITHIN_LIMIT, Reason.BELOW_LIMIT]
    assert [alert.threshold for alert in found] == [1.0, 1.0, 0.3]
    assert found[0].statistic == pytest.approx(entropy(found[0].counts), abs=0.03)
    assert sum(part.contribution for part in found[0].contributors) == pytest.approx(1)


def sure(log: Categories, confidence: Sequence[float | None]) -> Scored:
    column = np.array([np.nan if each is None else each for each in confidence], np.float32)
    return replace(scored(log), confidence=column)


UNSURE = Limit(rule=Rule.LOW_CONFIDENCE, above=0.2)


def test_low_confidence_counts_the_responses_under_the_threshold() -> None:
    confidence = [0.9] * 200 + [0.9, 0.4] * 100 + [0.9] * 300
    log = np.zeros(len(confidence), np.uint8)
    drift, alerts = told([sure(log, confidence)], UNSURE, confident_from=0.5)
    firing, resolved = alerts
    assert (firing.rule, firing.seq, firing.statistic) == (Rule.LOW_CONFIDENCE, 349, 0.375)
    assert (resolved.reason, resolved.seq) == (Reason.WITHIN_LIMIT, 549)
    assert {part.contribution for part in firing.contributors} == {0}
    assert len(drift) == len(confidence) // 50


def test_a_confidence_that_was_never_on_the_wire_is_judged_as_one_that_was() -> None:
    at_the_edge = [0.49996] * 400
    assert told([sure(np.zeros(400, np.uint8), at_the_edge)], UNSURE, confident_from=0.5)[1] == []
    assert told([sure(np.zeros(400, np.uint8), [0.49994] * 400)], UNSURE, confident_from=0.5)[1] != []


def test_responses_without_confidence_are_neither_low_nor_counted() -> None:
    log = np.zeros(600, np.uint8)
    assert told([scored(log)], UNSURE, confident_from=0.5)[1] == []
    some = sure(log, [0.1 if place % 4 == 0 else None for place in range(600)])
    assert told([some], UNSURE, confident_from=0.5)[1] == []
    (alert,) = told([some], replace(UNSURE, min_n=50), confident_from=0.5)[1]
    assert alert.statistic == 1.0


SILENT = NoData(after=600 * SECOND, policy=Silence.ALERT)


def tick(ts: int, offset: int = 0) -> Tick:
    return Tick(monitor="m", ts=ts * SECOND, source=Source("valuedrift.scored", 3), offset=offset)


def test_silence_alarms_once_and_the_next_response_ends_it() -> None:
    first, second = scored(draw(QUIET, 120, 1)), scored(draw(QUIET, 50, 2), start=2_000)
    _, alerts = told([first, tick(700), tick(719, 1), tick(900, 2), tick(1_500, 3), second], no_data=SILENT)
    assert [(alert.rule, alert.status, alert.reason, alert.seq, alert.ts // SECOND) for alert in alerts] == [
        (Rule.NO_DATA, Status.FIRING, Reason.SILENT, 119, 719),
        (Rule.NO_DATA, Status.RESOLVED, Reason.DATA_RETURNED, 120, 2_000),
    ]
    assert alerts[0].onset.ts == alerts[0].onset.low == 119 * SECOND
    assert (alerts[0].statistic, alerts[0].threshold, alerts[1].statistic) == (600, 600, 1_881)
    assert alerts[1].starts_at == alerts[0].starts_at


def test_a_second_silence_is_a_second_incident() -> None:
    log: list[Entry] = [scored(draw(QUIET, 120, 1)), tick(900), scored([0, 0], start=1_000), tick(1_700, 1)]
    _, alerts = told(log, no_data=SILENT)
    assert [alert.status.value for alert in alerts] == ["firing", "resolved", "firing"]
    assert len({alert.alert_id for alert in alerts}) == 3


def test_a_monitor_that_never_spoke_is_not_silent_and_without_the_rule_a_tick_says_nothing() -> None:
    assert told([tick(10_000)], no_data=SILENT) == ([], [])
    assert told([scored([0]), tick(10_000)])[1] == []


def test_silence_may_end_what_is_open_instead() -> None:
    log = np.concatenate([draw(QUIET, 2_000, 1), draw(BROKEN, 400, 2)])
    rule = replace(SILENT, policy=Silence.RESOLVE)
    drift, alerts = told(
        [scored(log), tick(3_500), tick(9_500, 1)], replace(MISALIGNED, above=0.02), no_data=rule, epsilon=1e-9
    )
    opened = [alert.dedup_key for alert in alerts if alert.status is Status.FIRING]
    closed = [alert for alert in alerts if alert.reason is Reason.SILENT]
    assert {"vd:m:drift", "vd:m:category_share:helpful_misaligned"} <= set(opened)
    assert {alert.dedup_key for alert in closed} >= {"vd:m:drift", "vd:m:category_share:helpful_misaligned"}
    assert len(closed) == len({alert.dedup_key for alert in closed})
    assert {alert.ts for alert in closed} == {3_500 * SECOND}
    assert all(alert.status is Status.RESOLVED for alert in closed)
    assert drift[-1].state is not State.FIRING


def test_putting_a_monitor_down_anywhere_changes_nothing() -> None:
    settings = replace(
        SETTINGS,
        limits=(Limit(rule=Rule.ENTROPY_LEVEL, above=0.3), replace(MISALIGNED, above=0.02), UNSURE),
        confident_from=0.5,
        no_data=SILENT,
    )
    log = np.concatenate([draw(QUIET, 1_200, 1), draw(BROKEN, 600, 2), draw(QUIET, 700, 3)])
    confidence = np.random.default_rng(4).random(len(log)).astype(np.float32)
    confidence[:600] += 0.5
    record = replace(scored(log), confidence=confidence)
    whole, moved = Monitor("m", settings), Monitor("m", settings)
    silence = [tick(4_000), tick(4_001, 1)]
    last = scored(draw(QUIET, 60, 5), start=6_000)
    entries: list[Entry] = [record, *silence, last]
    expected = collected([whole.observe(entry) for entry in entries])
    assert {alert.rule for alert in expected[1]} >= {*(limit.rule for limit in settings.limits), Rule.NO_DATA}
    parts = [
        replace(scored(log[start : start + 77], start=start), confidence=confidence[start : start + 77])
        for start in range(0, len(log), 77)
    ]
    seen = []
    pieces: list[Entry] = [*parts, *silence, last]
    for entry in pieces:
        seen.append(moved.observe(entry))
        moved = Monitor.restore("m", settings, moved.snapshot())
    assert collected(seen) == expected
    assert moved.snapshot() == whole.snapshot()


@pytest.mark.parametrize(("n", "share"), [(7, 0.3), (40, 0.02), (40, 0.9)])
def test_the_tail_is_that_of_the_binomial_counted_out(n: int, share: float) -> None:
    for counted in range(n + 2):
        exact = sum(comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(counted, n + 1))
        assert tail(counted, n, share) == pytest.approx(exact, rel=1e-9, abs=1e-15)


def test_the_tail_is_finite_at_the_edges_and_for_large_counts() -> None:
    assert [tail(3, 5, share) for share in (0.0, 1.0)] == [0.0, 1.0]
    assert tail(500_000, 10**6, 0.5) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"above": None}, "above or below must be set"),
        ({"above": 1.5}, "between 0 and 1"),
        ({"below": 0.5}, "below must be less than above"),
        ({"critical_at": 0.01}, "further out"),
        ({"confidence": 1.0}, "confidence"),
        ({"min_n": 0}, "min_n"),
    ],
)
def test_a_limit_out_of_range_is_refused(changes: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(MISALIGNED, **changes)  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"limits": (MISALIGNED, MISALIGNED)}, "only one limit"),
        ({"limits": (replace(MISALIGNED, category=5),)}, "category of the taxonomy"),
        ({"limits": (replace(MISALIGNED, min_n=201),)}, "at most the window of 200"),
        ({"limits": (UNSURE,)}, "confident_from"),
        ({"confident_from": 0.5}, "confident_from"),
    ],
)
def test_limits_that_do_not_fit_together_are_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(SETTINGS, **changes)  # type: ignore[arg-type]  # that is the test
