"""Rules with a limit: whether a number of the window is beyond it for certain, by chance perhaps, or not at all.

The number is judged at each stride over the window's full panes. It fires when it is beyond the limit for certain, and resolves when the
number itself is back within it, so that noise about a limit opens no second alert (docs/statistics.md, "Limits").
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream.core.alerts import Finding, closing, key_of
from stream.core.detectors import Design
from stream.core.entropy import bound, measure
from stream.core.events import Onset, Reason, Rule, Severity, Status
from stream.core.evidence import grew, parts_of_entropy
from stream.core.kernel import LAST, SEEN, STRIDE
from stream.core.limits import Limit
from stream.core.state import State
from stream.core.window import time_of

NEVER = -1
"""In `State.beyond`: the number is within its limit."""


@dataclass(frozen=True, slots=True)
class _Number:
    """What a limit is set for: its value, of how many responses, and of how many it counts where it is a share."""

    value: float
    n: int
    counted: int = 0


def judge(state: State, plan_of: Design, place: int) -> Finding | None:
    """The finding of the limit at `place` of the settings, at a stride; None where nothing changes."""
    limit = plan_of.settings.limits[place]
    number = _number(state, plan_of, limit)
    alarm = state.alarms.get(_key(limit, plan_of))
    reason = _beyond(limit, number.value) if number.n else Reason.WITHIN_LIMIT
    if alarm is not None:
        return over(state, plan_of, place, reason) if reason is Reason.WITHIN_LIMIT else None
    if reason is Reason.WITHIN_LIMIT or number.n < limit.min_n:
        state.beyond[place] = NEVER
        return None
    if state.beyond[place] == NEVER:
        state.beyond[place] = int(state.counts.scalars[SEEN]) - int(state.counts.scalars[STRIDE])
    edge = limit.above if reason is Reason.ABOVE_LIMIT else limit.below
    if edge is None or not _certain(state, limit, number, reason, edge):
        return None
    finding = _finding(state, limit, number, reason)
    critical = limit.critical_at is not None and _certain(state, limit, number, reason, limit.critical_at)
    return replace(finding, severity=Severity.CRITICAL if critical else limit.severity, onset=_onset(state, place))


def pending(state: State, plan_of: Design) -> bool:
    """Whether some number is beyond its limit, but not for certain."""
    return any(
        since != NEVER and _key(limit, plan_of) not in state.alarms
        for since, limit in zip(state.beyond.tolist(), plan_of.settings.limits, strict=True)
    )


def over(state: State, plan_of: Design, place: int, reason: Reason) -> Finding | None:
    """The finding that closes the alert of the limit at `place` for this reason, None where none is open."""
    limit = plan_of.settings.limits[place]
    alarm = state.alarms.get(_key(limit, plan_of))
    if alarm is None:
        return None
    state.beyond[place] = NEVER
    return closing(_finding(state, limit, _number(state, plan_of, limit), reason), alarm, reason)


def tail(counted: int, n: int, share: float) -> float:
    """Chance of `counted` or more of n when each one counts with this chance.

    Examples:
        >>> tail(0, 5, 0.1), round(tail(2, 2, 0.1), 12), round(tail(1, 2, 0.5), 12)
        (1.0, 0.01, 0.75)
    """
    if counted <= 0 or share >= 1:
        return 1.0
    if share <= 0 or counted > n:
        return 0.0
    below = counted < n * share  # add up the shorter tail, outwards
    terms = range(counted - 1, -1, -1) if below else range(counted, n + 1)
    log_odds, log_none = math.log(share) - math.log1p(-share), n * math.log1p(-share)
    total = 0.0
    for x in terms:
        log_ways = math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1)
        term = math.exp(log_ways + x * log_odds + log_none)
        total += term
        if term < 1e-18 * total:
            break
    return min(max(1.0 - total if below else total, 0.0), 1.0)


def _key(limit: Limit, plan_of: Design) -> str:
    return key_of(limit.rule, None if limit.category is None else plan_of.settings.taxonomy.names[limit.category])


def _number(state: State, plan_of: Design, limit: Limit) -> _Number:
    """The number of the window's full panes that the limit is for."""
    window = state.window
    if limit.rule is Rule.ENTROPY_LEVEL:
        return _Number(measure(window, plan_of.kinds).corrected, int(window.sum()))
    if limit.rule is Rule.LOW_CONFIDENCE:
        counted, n = (int(total) for total in state.doubts[:-1].sum(axis=0))
    else:
        counted, n = int(window[limit.category]), int(window.sum())
    return _Number(counted / n if n else 0.0, n, counted)


def _beyond(limit: Limit, value: float) -> Reason:
    if limit.above is not None and value > limit.above:
        return Reason.ABOVE_LIMIT
    return Reason.BELOW_LIMIT if limit.below is not None and value < limit.below else Reason.WITHIN_LIMIT


def _certain(state: State, limit: Limit, number: _Number, reason: Reason, edge: float) -> bool:
    """Whether the number is beyond this edge, on the side that the reason names, with the limit's confidence."""
    chance = 1 - limit.confidence
    if limit.rule is Rule.ENTROPY_LEVEL:
        window = state.window
        return bound(window, chance) > edge if reason is Reason.ABOVE_LIMIT else bound(window, 1 - chance) < edge
    if reason is Reason.ABOVE_LIMIT:
        return tail(number.counted, number.n, edge) <= chance
    return tail(number.n - number.counted, number.n, 1 - edge) <= chance


def _finding(state: State, limit: Limit, number: _Number, reason: Reason) -> Finding:
    """A finding that fires, at the number of now; onset and severity are the caller's to say."""
    window, reference = state.window.copy(), state.belief.counts[0].copy()
    now = int(state.counts.scalars[LAST])
    edge = limit.below if reason is Reason.BELOW_LIMIT or limit.above is None else limit.above
    parts: npt.NDArray[np.float64] = np.zeros(len(window))
    examples: tuple[str, ...] = ()
    if limit.rule is not Rule.LOW_CONFIDENCE:
        parts, examples = parts_of_number(state, limit.category, window, reference)
    return Finding(
        rule=limit.rule,
        category=limit.category,
        status=Status.FIRING,
        reason=reason,
        severity=limit.severity,
        starts_at=now,
        onset=Onset(ts=now, seq=int(state.counts.scalars[SEEN]) - 1, low=now, high=now),
        counts=window,
        reference_counts=reference,
        contribution=parts,
        statistic=number.value,
        threshold=edge or 0.0,
        false_alarm_interval=None,
        examples=examples,
    )


def parts_of_number(
    state: State, category: int | None, window: npt.NDArray[np.int64], reference: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """What the behaviours have to do with a number of the window (k,), and the responses to look at: the entropy's without a category."""
    if category is not None:
        parts = np.zeros(len(window))
        parts[category] = 1.0
        return parts, state.examples[category]
    parts = parts_of_entropy(window, reference)
    change = window / max(int(window.sum()), 1) - reference / max(int(reference.sum()), 1)
    return parts, state.examples[grew(parts, change)]


def _onset(state: State, place: int) -> Onset:
    """The first response of the stride at which the number went beyond its limit; the change began in the window before it, or later."""
    seen, begun = int(state.counts.scalars[SEEN]), int(state.beyond[place])
    window = len(state.counts.panes) * int(state.counts.scalars[STRIDE])
    ts = time_of(state.counts, seen - begun)
    low = time_of(state.counts, min(seen, seen - begun + window)) if state.aged is None else ts - state.aged.age
    return Onset(ts=ts, seq=begun, low=min(low, ts), high=max(ts, int(state.counts.scalars[LAST])))
