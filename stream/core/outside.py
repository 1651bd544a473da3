"""The rule of detectors from outside the core, judged at each stride.

It fires when the detector finds a change. Such a detector knows no reference: it begins anew and takes the new level for normal, so the
alert resolves when it has found nothing more in a whole window.
"""

from stream.core.alerts import Finding, closing, digits, key_of
from stream.core.detectors import Design
from stream.core.entropy import entropy
from stream.core.events import Onset, Reason, Rule, Status
from stream.core.kernel import LAST, SEEN, STRIDE
from stream.core.levels import parts_of_number
from stream.core.state import State
from stream.core.window import kept, time_of


def judge(state: State, plan_of: Design, place: int) -> Finding | None:
    """The finding of the watcher at `place` of the settings, at a stride; None where nothing changes."""
    watcher, series, stride = plan_of.settings.watchers[place], state.series[place], int(state.counts.scalars[STRIDE])
    full = kept(state.counts) == len(state.counts.panes) if state.aged is None else state.aged.fulls > 0
    if watcher.category is None and not full:
        return None
    before = len(series.values)
    found = series.take(watcher, _number(state, watcher.category))
    is_open = key_of(Rule.RIVER, watcher.name) in state.alarms
    if found:
        return None if is_open else _finding(state, plan_of, place, strides=before + 1)
    if is_open and len(series.values) * stride >= plan_of.settings.window:
        return over(state, plan_of, place, Reason.NO_FURTHER_CHANGE)
    return None


def over(state: State, plan_of: Design, place: int, reason: Reason) -> Finding | None:
    """The finding that closes the alert of the watcher at `place` for this reason, None where none is open."""
    alarm = state.alarms.get(key_of(Rule.RIVER, plan_of.settings.watchers[place].name))
    return None if alarm is None else closing(_finding(state, plan_of, place, strides=1), alarm, reason)


def _number(state: State, category: int | None) -> float:
    """What the watcher is given, rounded as numbers in records, so that machines whose last bits differ decide alike."""
    counts = state.counts
    if category is None:
        return digits(entropy(state.window))
    stride = int(counts.scalars[STRIDE])
    return digits(int(counts.panes[(int(counts.scalars[SEEN]) // stride - 1) % len(counts.panes), category]) / stride)


def _finding(state: State, plan_of: Design, place: int, *, strides: int) -> Finding:
    """A finding that fires; the change lies in the strides that the detector was given, at best guess in the last of them.

    Detectors tell no evidence but that there is a change: the statistic is 1, of 1.
    """
    watcher, counts = plan_of.settings.watchers[place], state.counts
    window, reference = state.window.copy(), state.belief.counts[0].copy()
    now, seen, stride = int(counts.scalars[LAST]), int(counts.scalars[SEEN]), int(counts.scalars[STRIDE])
    span = strides * stride + (plan_of.settings.window - stride if watcher.category is None else 0)
    began, low = time_of(counts, stride), time_of(counts, min(seen, span))
    parts, examples = parts_of_number(state, watcher.category, window, reference)
    return Finding(
        rule=Rule.RIVER,
        name=watcher.name,
        category=watcher.category,
        status=Status.FIRING,
        reason=Reason.DETECTOR_FOUND,
        severity=watcher.severity,
        starts_at=now,
        onset=Onset(ts=began, seq=seen - stride, low=min(low, began), high=max(now, began)),
        counts=window,
        reference_counts=reference,
        contribution=parts,
        statistic=1.0,
        threshold=1.0,
        false_alarm_interval=None,
        examples=examples,
    )
