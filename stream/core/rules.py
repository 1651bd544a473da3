"""What the evidence means: the three rules, each a function from a monitor's state to a finding.

`drift` and `traffic_mix` read a channel of the detector; `entropy_rate` is the paper's rule, abs(S(t) - S(t - 1)) > ε, as it is written.
A statistic is shown as ln(1 + Σ w R), and its threshold likewise: nats of evidence that something changed.
"""

import math
from itertools import takewhile

import numpy as np

from stream.core.alerts import Finding, closing
from stream.core.detectors import Design, leading
from stream.core.entropy import entropy
from stream.core.events import Onset, Reason, Rule, Severity, Status
from stream.core.evidence import grew, lean, parts_of_change, parts_of_entropy, severity
from stream.core.kernel import LAST, SEEN, WINDOW
from stream.core.onset import Ages, onset_ages
from stream.core.state import State
from stream.core.streams import TRAFFIC
from stream.core.window import long_runs, since, time_of

RETURN = 3.0
"""Nats of evidence for the reference that close an alarm: without a margin, noise would close it and open it again."""

SHRINK = 20
"""Responses of the reference that are mixed into the level of an alarm: it was chosen for its height, and is too high."""


def changed(state: State, plan_of: Design, channel: int) -> Finding:
    """The finding of a channel whose statistic has reached its limit: onset, level since then, and what moved."""
    watching = plan_of.channels[channel]
    ages = onset_ages(state, plan_of, channel)
    stretch = since(state.counts, ages.median)
    reference = state.belief.counts[channel].copy()
    parts, change = parts_of_change(plan_of, watching, stretch.counts, reference)
    moved = leading(state.belief, state.plan, plan_of, channel)
    traffic = all(stream.name == TRAFFIC for stream, move in zip(plan_of.streams, moved, strict=True) if move)
    mix = watching.rule is Rule.TRAFFIC_MIX
    return Finding(
        rule=watching.rule,
        status=Status.FIRING,
        reason=Reason.TRAFFIC_CHANGED if traffic else Reason.BEHAVIOUR_CHANGED,
        severity=Severity.INFO if mix else severity(parts, change, plan_of.settings.taxonomy),
        starts_at=int(state.counts.scalars[LAST]),
        onset=_onset(state, ages),
        counts=stretch.counts,
        reference_counts=reference,
        contribution=parts,
        statistic=shown(state.belief.statistic[channel]),
        threshold=shown(state.plan.limit[channel]),
        false_alarm_interval=plan_of.settings.false_alarm_interval,
        examples=state.examples[grew(parts, change)],
    )


def returned(state: State, plan_of: Design, channel: int) -> Finding | None:
    """The finding that closes a channel's alarm, at a stride at least one window after it; None while the level lasts.

    It needs `RETURN` nats for the reference against the level, in the last window or in a longer run after the alarm, for a small change
    does not show in one window.
    """
    watching = plan_of.channels[channel]
    alarm = state.alarms[watching.rule]
    age = int(state.counts.scalars[SEEN]) - 1 - alarm.seq
    if age < plan_of.settings.window:
        return None
    reference = state.belief.counts[channel].copy()
    level = np.array(alarm.level) + SHRINK * reference / reference.sum()
    runs = takewhile(lambda run: run.age <= age, long_runs(state.counts))
    if not any(lean(plan_of, watching, run.counts, reference, level) >= RETURN for run in runs):
        return None
    return over(state, plan_of, channel, Reason.RETURNED_TO_REFERENCE)


def over(state: State, plan_of: Design, channel: int, reason: Reason) -> Finding:
    """The finding that closes a channel's alarm for this reason; its counts are those of the window's full panes."""
    watching = plan_of.channels[channel]
    alarm = state.alarms[watching.rule]
    last, reference = state.counts.rows[WINDOW].copy(), state.belief.counts[channel].copy()
    parts, _ = parts_of_change(plan_of, watching, last, reference)
    return Finding(
        rule=watching.rule,
        status=Status.RESOLVED,
        reason=reason,
        severity=alarm.severity,
        starts_at=alarm.starts_at,
        onset=alarm.onset,
        counts=last,
        reference_counts=reference,
        contribution=parts,
        statistic=shown(state.belief.statistic[channel]),
        threshold=shown(state.plan.limit[channel]),
        false_alarm_interval=plan_of.settings.false_alarm_interval,
    )


def step(state: State, plan_of: Design) -> float | None:
    """S(t) - S(t - 1) in nats between two full windows one stride apart; None until there are two."""
    seen = int(state.counts.scalars[SEEN])
    if seen < plan_of.settings.window + plan_of.settings.stride if state.aged is None else state.aged.fulls < 2:
        return None
    return entropy(state.window) - entropy(state.previous)


def rate_moved(state: State, plan_of: Design, change: float, epsilon: float) -> Finding | None:
    """The paper's rule at a stride: it fires at the first where abs(change) > ε and resolves at the first where it is not."""
    alarm = state.alarms.get(Rule.ENTROPY_RATE)
    above = abs(change) > epsilon
    if above == (alarm is not None):
        return None
    if alarm is not None:
        return rate_over(state, plan_of, Reason.RATE_WITHIN_EPSILON)
    return _rate_finding(state, plan_of, change, epsilon)


def rate_over(state: State, plan_of: Design, reason: Reason) -> Finding:
    """The finding that closes the alert of the paper's rule for this reason."""
    alarm = state.alarms[Rule.ENTROPY_RATE]
    change = entropy(state.window) - entropy(state.previous)
    return closing(_rate_finding(state, plan_of, change, plan_of.settings.epsilon or 0.0), alarm, reason)


def _rate_finding(state: State, plan_of: Design, change: float, epsilon: float) -> Finding:
    now, before = state.window.copy(), state.previous.copy()
    stride = plan_of.settings.stride
    return Finding(
        rule=Rule.ENTROPY_RATE,
        status=Status.FIRING,
        reason=Reason.RATE_ABOVE_EPSILON,
        severity=Severity.WARNING,
        starts_at=int(state.counts.scalars[LAST]),
        onset=_onset(state, Ages(1, stride, stride)),
        counts=now,
        reference_counts=before,
        contribution=parts_of_entropy(now, before),
        statistic=abs(change),
        threshold=epsilon,
        false_alarm_interval=None,
        examples=state.examples[int(np.argmax(now - before))],
    )


def shown(value: float) -> float:
    """A statistic or limit in nats of evidence, ln(1 + value)."""
    return math.log1p(value)


def _onset(state: State, ages: Ages) -> Onset:
    """The onset as a response and as times; an age of 1 is that of the last response."""
    low, median, high = (time_of(state.counts, age) for age in (ages.oldest, ages.median, ages.youngest))
    seq = int(state.counts.scalars[SEEN]) - round(ages.median)
    return Onset(ts=median, seq=seq, low=min(low, median), high=max(median, high))
