"""A drift so slow that the reference takes it up step by step is found against the reference as it came into force."""

from dataclasses import replace

import numpy as np
import pytest

from stream.core.control import Accept, Learn
from stream.core.events import Reason, Rule, State, Status
from stream.core.kernel import LOOK
from stream.core.monitor import Monitor
from stream.core.records import Source
from stream.core.settings import EngineSettings
from tests.simulation.logs import BUSY, SECOND, Categories, collected, draw, judged, records, scored

# A knob this high keeps the fast rule out of the way: what is left to find is what it would not see.
SETTINGS = EngineSettings(window=200, stride=50, learn_from=1_000, false_alarm_interval=10**40, traffic_mix=False)
BLOCK = LOOK * 1_000
STEPS = tuple(np.array([0.89 - refused, 0.02, 0.06, refused, 0.03]) for refused in (0.042, 0.054, 0.066))
"""BUSY, while refusals of benign requests creep up from 3 %."""


def crept(seed: int = 1) -> Categories:
    """A reference and a block as usual, then a block at each step."""
    usual = draw(BUSY, 1_000 + BLOCK, seed)
    return np.concatenate([usual, *(draw(shares, BLOCK, seed + 1 + place) for place, shares in enumerate(STEPS))])


def test_what_crept_up_is_found_at_the_end_of_a_block_against_the_first_reference() -> None:
    log = crept()
    drift, alerts = judged(log, SETTINGS)
    (alert,) = alerts
    assert (alert.rule, alert.reason, alert.status) == (Rule.DRIFT, Reason.BEHAVIOUR_CHANGED_SLOWLY, Status.FIRING)
    assert alert.seq in (1_000 + 3 * BLOCK - 1, 1_000 + 4 * BLOCK - 1)
    first = tuple(np.bincount(log[:1_000], minlength=5))
    assert alert.reference_counts == first
    assert alert.counts == tuple(np.bincount(log[alert.seq + 1 - BLOCK : alert.seq + 1], minlength=5))
    assert alert.statistic >= alert.threshold == pytest.approx(-np.log(0.01), rel=1e-8)
    assert alert.false_alarm_interval == BLOCK * 100
    assert alert.contributors[0].category == "refusal_excessive"
    assert alert.onset.low == 999 * SECOND
    assert alert.onset.low <= alert.onset.ts <= alert.onset.high == alert.ts
    before, after = [next(event for event in drift if event.seq == alert.seq + step) for step in (-50, 0)]
    assert before.reference.n > 2 * BLOCK, "the reference had taken it up"
    assert after.reference.counts == first
    assert drift[-1].state is State.FIRING


def test_a_model_that_stays_as_it_is_is_left_alone() -> None:
    drift, alerts = judged(draw(BUSY, 1_000 + 10 * BLOCK, 3), SETTINGS)
    assert alerts == []
    assert drift[-1].reference.n > 9 * BLOCK


def test_it_resolves_when_the_window_is_back_at_the_first_reference() -> None:
    log = np.concatenate([crept(), draw(BUSY, 3 * BLOCK, 9)])
    _, alerts = judged(log, SETTINGS)
    assert [alert.reason for alert in alerts[:2]] == [Reason.BEHAVIOUR_CHANGED_SLOWLY, Reason.RETURNED_TO_REFERENCE]


def test_an_accepted_level_is_what_later_blocks_are_compared_with() -> None:
    log = np.concatenate([crept(), draw(STEPS[-1], 3 * BLOCK, 9)])
    order = Accept(control_id="c", monitor="m", ts=0, learn=Learn.NEXT, source=Source("valuedrift.scored", 0), offset=0)
    before, after = records(log, [1_000 + 4 * BLOCK])
    monitor = Monitor("m", SETTINGS)
    _, alerts = collected([monitor.observe(entry) for entry in (before, order, after)])
    assert [alert.reason for alert in alerts] == [Reason.BEHAVIOUR_CHANGED_SLOWLY, Reason.ACCEPTED]


def test_a_given_reference_takes_nothing_up_so_the_rule_itself_finds_what_creeps() -> None:
    _, alerts = judged(crept(), replace(SETTINGS, reference=(860, 20, 60, 30, 30), false_alarm_interval=10_000))
    assert alerts[0].reason is Reason.BEHAVIOUR_CHANGED


def test_putting_a_monitor_down_anywhere_changes_nothing() -> None:
    log = crept()
    whole, moved = Monitor("m", SETTINGS), Monitor("m", SETTINGS)
    expected = collected([whole.observe(scored(log))])
    seen = []
    for record in records(log, range(0, len(log), 777)):
        seen.append(moved.observe(record))
        moved = Monitor.restore("m", SETTINGS, moved.snapshot())
    assert collected(seen) == expected
    assert moved.snapshot() == whole.snapshot()
