"""What becomes of a reference when a person accepts the present level, or gives one: timelines in, timelines out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from stream.core.control import Accept, Entry, Learn
from stream.core.engine import Engine
from stream.core.events import AlertEvent, DriftEvent, Origin, Reason, Rule, Severity, Since, State, Status
from stream.core.monitor import Monitor
from stream.core.records import Scored, Source
from stream.core.settings import EngineSettings
from tests.simulation.logs import (
    ATTACKED,
    BROKEN,
    BUSY,
    CALM,
    QUIET,
    SECOND,
    Categories,
    collected,
    draw,
    records,
    scored,
)

SETTINGS = EngineSettings(window=200, stride=50, learn_from=1_000)
CONTROLS = Source("valuedrift.scored", 3)


def accept(offset: int = 0, *, learn: Learn = Learn.WINDOW) -> Accept:
    return Accept(
        control_id=f"control-{offset}", monitor="m", ts=99 * SECOND, learn=learn, source=CONTROLS, offset=offset
    )


def told(entries: Sequence[Entry], settings: EngineSettings = SETTINGS) -> tuple[list[DriftEvent], list[AlertEvent]]:
    monitor = Monitor("m", settings)
    return collected([monitor.observe(entry) for entry in entries])


def with_accept(log: Categories, at: int, *orders: Accept) -> list[Entry]:
    before, after = records(log, [at])
    return [before, *orders, after]


def changed_for_good(length: int = 4_000) -> Categories:
    return np.concatenate([draw(QUIET, 2_000, 3), draw(BROKEN, length, 4)])


def test_an_accepted_level_closes_the_alert_once_and_is_the_reference_from_then_on() -> None:
    log = changed_for_good()
    drift, alerts = told(with_accept(log, 2_600, accept(7)))
    firing, resolved = [alert for alert in alerts if alert.rule is Rule.DRIFT]
    assert (resolved.status, resolved.reason) == (Status.RESOLVED, Reason.ACCEPTED)
    assert (resolved.seq, resolved.ts, resolved.ends_at) == (2_599, 2_599 * SECOND, 2_599 * SECOND)
    assert (resolved.dedup_key, resolved.starts_at, resolved.onset) == (
        firing.dedup_key,
        firing.starts_at,
        firing.onset,
    )
    assert resolved.classifier == "rules@0123abcd"
    assert resolved.reference_counts == firing.reference_counts
    (event,) = [event for event in drift if event.seq == 2_599 and event.reference.origin is Origin.ACCEPTED]
    assert event.state is State.OK
    assert event.reference.counts == tuple(np.bincount(log[2_400:2_600], minlength=5))
    assert event.reference.since == Since(seq=2_600, ts=2_599 * SECOND)
    assert event.reference.growing
    assert drift[-1].reference.n > event.reference.n


def test_an_accepted_reference_finds_the_next_change() -> None:
    log = np.concatenate([changed_for_good(1_500), draw(QUIET, 1_500, 9)])
    _, alerts = told(with_accept(log, 2_600, accept()))
    after = [alert for alert in alerts if alert.rule is Rule.DRIFT and alert.seq > 2_600]
    assert after[0].status is Status.FIRING
    assert 3_500 < after[0].seq < 3_900


def test_an_alert_about_traffic_is_closed_too() -> None:
    log = np.concatenate([draw(CALM, 2_000, 12), draw(ATTACKED, 1_500, 13)])
    _, alerts = told(with_accept(log, 2_600, accept()), replace(SETTINGS, false_alarm_interval=100_000))
    assert [(alert.rule, alert.status) for alert in alerts] == [
        (Rule.TRAFFIC_MIX, Status.FIRING),
        (Rule.TRAFFIC_MIX, Status.RESOLVED),
    ]
    assert alerts[1].reason is Reason.ACCEPTED
    assert alerts[1].severity is Severity.INFO


def test_the_papers_rule_is_no_matter_of_the_reference_and_stays_open() -> None:
    settings = replace(SETTINGS, epsilon=1e-9)
    before = told([records(changed_for_good(), [2_600])[0]], settings)[1]
    _, alerts = told([records(changed_for_good(), [2_600])[0], accept()], settings)
    assert [alert.rule for alert in alerts[len(before) :]] == [Rule.DRIFT, Rule.TRAFFIC_MIX]


def test_accepting_too_soon_after_the_onset_learns_from_the_next_responses() -> None:
    log = changed_for_good()
    firing = next(alert for alert in told([scored(log)])[1] if alert.rule is Rule.DRIFT)
    at = firing.seq + 5
    assert at - firing.onset.seq < 100
    drift, alerts = told(with_accept(log, at, accept()))
    assert [alert.reason for alert in alerts if alert.rule is Rule.DRIFT] == [
        Reason.BEHAVIOUR_CHANGED,
        Reason.ACCEPTED,
    ]
    event = next(event for event in drift if event.seq == at - 1)
    assert (event.state, event.reference.n, event.reference.since) == (State.LEARNING, 0, None)
    learned = next(event for event in drift if event.seq == at + 999)
    assert (learned.state, learned.reference.origin) == (State.OK, Origin.LEARNED)
    assert learned.reference.counts == tuple(np.bincount(log[at : at + 1_000], minlength=5))


def test_a_window_that_is_not_at_rest_is_refused_and_the_next_responses_are_learned() -> None:
    log = np.concatenate([draw(QUIET, 600, 1), np.full(100, 4, np.uint8), draw(QUIET, 2_000, 2)])
    drift, _ = told(with_accept(log, 700, accept()))
    event = next(event for event in drift if event.seq == 699 and event.drift_id != drift[13].drift_id)
    assert event.state is State.UNSTABLE_REFERENCE
    assert next(event for event in drift if event.seq == 749).state is State.LEARNING


def test_on_request_the_reference_is_learned_from_the_next_responses() -> None:
    log = changed_for_good()
    drift, alerts = told(with_accept(log, 3_000, accept(learn=Learn.NEXT)))
    assert [alert.reason for alert in alerts if alert.rule is Rule.DRIFT][-1] is Reason.ACCEPTED
    learned = next(event for event in drift if event.seq == 3_999)
    assert learned.reference.counts == tuple(np.bincount(log[3_000:4_000], minlength=5))
    assert learned.reference.since == Since(seq=4_000, ts=3_999 * SECOND)


def test_what_waited_to_join_the_old_reference_never_joins_the_new_one() -> None:
    log = changed_for_good()
    drift, _ = told(with_accept(log, 2_650, accept()))
    for event in drift:
        if event.seq >= 2_700:
            counted = np.array(event.reference.counts)
            assert (counted <= np.bincount(log[2_450 : event.seq + 1], minlength=5)).all()


def test_a_record_that_was_obeyed_is_not_obeyed_again() -> None:
    monitor = Monitor("m", SETTINGS)
    monitor.observe(scored(draw(QUIET, 2_000, 1)))
    assert len(monitor.observe(accept(7)).drift) == 1
    before = monitor.snapshot()
    assert monitor.observe(accept(7)).drift == ()
    assert monitor.snapshot() == before
    again = monitor.observe(accept(8))
    assert (len(again.drift), again.alerts) == (1, ())


def test_a_monitor_that_has_seen_nothing_has_no_level_to_accept() -> None:
    engine = Engine(SETTINGS)
    assert engine.observe(accept()).drift == ()
    drift, _ = told([accept(), scored(draw(QUIET, 1_000, 1)), accept()])
    assert drift[-1].seq == 999, "delivered again, it is not obeyed for the first time"
    assert drift[-1].state is State.OK
    assert drift[-1].reference.origin is Origin.LEARNED


@pytest.mark.parametrize("learn", Learn)
@pytest.mark.parametrize("at", [50, 600, 2_030, 2_600, 5_000])
def test_putting_a_monitor_down_anywhere_changes_nothing(at: int, learn: Learn) -> None:
    entries = with_accept(changed_for_good(), at, accept(learn=learn))
    whole, moved = Monitor("m", SETTINGS), Monitor("m", SETTINGS)
    expected = collected([whole.observe(entry) for entry in entries])
    cut: list[Entry] = []
    for entry in entries:
        cut.extend(_in_pieces(entry) if isinstance(entry, Scored) else [entry])
    seen = []
    for entry in cut:
        seen.append(moved.observe(entry))
        moved = Monitor.restore("m", SETTINGS, moved.snapshot())
    assert collected(seen) == expected
    assert moved.snapshot() == whole.snapshot()


def _in_pieces(record: Scored) -> list[Scored]:
    first = int(record.offset[0])
    return [scored(record.category[start : start + 333], start=first + start) for start in range(0, len(record), 333)]


GIVEN = (860, 20, 60, 30, 30)


def test_a_given_reference_judges_from_the_first_response_on_and_never_grows() -> None:
    settings = replace(SETTINGS, reference=GIVEN)
    drift, alerts = told([scored(draw(BUSY, 6_000, 5))], settings)
    assert {event.reference.counts for event in drift} == {GIVEN}
    assert {event.state for event in drift} <= {State.OK, State.PENDING}
    assert (drift[0].reference.origin, drift[0].reference.growing) == (Origin.FILE, False)
    assert drift[0].reference.since == Since(seq=0, ts=None)
    assert alerts == []


def test_a_monitor_that_differs_from_the_given_reference_alarms_at_once() -> None:
    _, alerts = told([scored(draw(BROKEN, 500, 5))], replace(SETTINGS, reference=(9_750, 50, 100, 50, 50)))
    firing = next(alert for alert in alerts if alert.rule is Rule.DRIFT)
    assert firing.seq < 100
    assert firing.reference_counts == (9_750, 50, 100, 50, 50)


def test_the_smaller_a_given_reference_the_more_evidence_is_asked_for() -> None:
    limits = [
        told([scored(draw(QUIET, 50, 1))], replace(SETTINGS, reference=(975 * size, 5 * size, 10 * size, 5 * size, 5)))[
            0
        ][0].threshold
        for size in (1, 10)
    ]
    assert limits[0] > limits[1]


def test_a_given_reference_can_be_replaced_by_what_a_person_accepts() -> None:
    log = draw(BROKEN, 3_000, 5)
    settings = replace(SETTINGS, reference=GIVEN)
    drift, _ = told(with_accept(log, 600, accept()), settings)
    assert drift[-1].reference.origin is Origin.ACCEPTED
    assert drift[-1].reference.growing
    assert drift[-1].reference.n > 200


@pytest.mark.parametrize(
    ("counts", "named"),
    [
        ((1, 2, 3), "5 counts"),
        ((99, 0, 0, 0, 0), "100 to"),
        ((200, -1, 0, 0, 0), "0 or more"),
        ((10**13, 0, 0, 0, 0), "100 to"),
    ],
)
def test_a_given_reference_is_checked(counts: tuple[int, ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(SETTINGS, reference=counts)
