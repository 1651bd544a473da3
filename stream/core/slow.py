"""The slow check: whether what came later still is what the reference was learned from, although each step of the way was small.

A reference that grows takes a slow drift up as it goes, and then nothing is left to alarm on. So its counts are also kept as they were
when it came into force, and every block of later un-alarmed responses is compared with those, whole (docs/statistics.md, "Slow drift").
"""

import math

import numpy as np
import numpy.typing as npt

from stream.core.alerts import Finding
from stream.core.detectors import Design
from stream.core.events import Onset, Reason, Rule, Status
from stream.core.evidence import grew, parts_of_change, severity
from stream.core.kernel import FROZEN, LAST, LATER, LOOK, SEEN, SINCE_TS, tabulate
from stream.core.reference import fisher
from stream.core.state import State
from stream.core.window import time_of

_Counts = npt.NDArray[np.int64]

CHANCE = 0.01
"""At most this share of blocks of a constant model is taken for a change: one false alarm in `LOOK` / 0.01 references' length."""


def look(state: State, plan_of: Design) -> Finding | None:
    """The finding of a block that is full, None where chance explains how far it is from the frozen reference.

    The onset is the block's beginning, and may be as early as the reference.
    """
    watching = plan_of.channels[0]
    frozen, later = state.counts.slow[FROZEN].copy(), state.counts.slow[LATER].copy()
    p = min(1.0, len(watching.streams) * min(_p(stream.up, stream.down, frozen, later) for stream in watching.streams))
    if p > CHANCE:
        return None
    parts, change = parts_of_change(plan_of, watching, later, frozen)
    now, seen, size = int(state.counts.scalars[LAST]), int(state.counts.scalars[SEEN]), int(later.sum())
    begun = time_of(state.counts, size)
    return Finding(
        rule=Rule.DRIFT,
        status=Status.FIRING,
        reason=Reason.BEHAVIOUR_CHANGED_SLOWLY,
        severity=severity(parts, change, plan_of.settings.taxonomy),
        starts_at=now,
        onset=Onset(
            ts=begun, seq=seen - size, low=min(int(state.counts.scalars[SINCE_TS]), begun), high=max(now, begun)
        ),
        counts=later,
        reference_counts=frozen,
        contribution=parts,
        statistic=-math.log(max(p, 1e-300)),
        threshold=-math.log(CHANCE),
        false_alarm_interval=round(int(frozen.sum()) * LOOK / CHANCE),
        examples=state.examples[grew(parts, change)],
    )


def turn(state: State, *, fired: bool) -> None:
    """Begin a new block; after an alarm the reference is again what it was when it came into force."""
    if fired:
        state.belief.counts[0] = state.counts.slow[FROZEN]
        state.belief.size[0] = state.counts.slow[FROZEN].sum()
        tabulate(0, state.belief, state.plan)
    state.counts.slow[LATER] = 0


def _p(up: tuple[int, ...], down: tuple[int, ...], frozen: _Counts, later: _Counts) -> float:
    """p-value of Fisher's exact test between the two in one stream."""
    risen, had = int(later[list(up)].sum()), int(frozen[list(up)].sum())
    met, of = risen + int(later[list(down)].sum()), had + int(frozen[list(down)].sum())
    return fisher(risen, met, risen + had, met + of)
