"""A monitor's reference through its life: learned, given, accepted, thrown away.

An accepted level is taken from the window when the window shows one level: of the panes since the onset of an open alarm, or of all where
none is open. Where that are too few responses, or they are not at rest, the reference is learned afresh from the next ones.
"""

import numpy as np
import numpy.typing as npt

from stream.core.control import Learn
from stream.core.detectors import Design, hold, restart
from stream.core.events import Rule
from stream.core.kernel import (
    ACCEPTED,
    FROZEN,
    GIVEN,
    LAST,
    LATER,
    LEARNED_HERE,
    LEARNT,
    ORIGIN,
    SEEN,
    SINCE,
    SINCE_TS,
    STRIDE,
    derive,
)
from stream.core.reference import is_stable
from stream.core.settings import FEWEST
from stream.core.state import State
from stream.core.window import full_panes

QUARTERS = (0.25, 0.5, 0.75)
"""Where a window is cut to see whether it is at rest."""


def learned(memory: State, plan_of: Design) -> bool:
    """Take the learned reference into use, or throw it away because it was not at rest; says which."""
    if is_stable(memory.counts.cuts, memory.belief.counts[0], plan_of.channels[0].streams):
        _use(memory, plan_of, LEARNED_HERE)
        return True
    learn_again(memory, plan_of)
    return False


def given(memory: State, plan_of: Design, counts: tuple[int, ...]) -> None:
    """Judge a monitor that has seen nothing against these counts from its first response on; they never grow."""
    memory.belief.counts[:] = counts
    _use(memory, plan_of, GIVEN)


def accept(memory: State, plan_of: Design, learn: Learn) -> bool:
    """Begin a new reference at the present level; False where the window was wanted but is not at rest.

    All evidence and alarms of the reference's rules are forgotten.
    """
    level, stable = _level(memory, plan_of) if learn is Learn.WINDOW else (None, True)
    for channel in range(len(plan_of.channels)):
        hold(memory.counts, memory.belief, channel, firing=False)
        restart(memory.counts, memory.belief, plan_of, channel)
    if level is None:
        learn_again(memory, plan_of)
    else:
        memory.belief.counts[:] = level
        _use(memory, plan_of, ACCEPTED)
    return stable


def learn_again(memory: State, plan_of: Design) -> None:
    """Throw the reference away: the next response is the first of a new one."""
    memory.counts.scalars[LEARNT] = 0
    memory.counts.scalars[ORIGIN] = LEARNED_HERE
    memory.counts.cuts[:] = 0
    memory.belief.counts[:] = 0
    memory.belief.size[:] = 0
    memory.counts.slow[:] = 0
    memory.plan.limit[:] = plan_of.first_limit


def _use(memory: State, plan_of: Design, origin: int) -> None:
    """Judge the next responses against the counts that stand in belief."""
    scalars = memory.counts.scalars
    scalars[LEARNT], scalars[ORIGIN] = -1, origin
    scalars[SINCE], scalars[SINCE_TS] = scalars[SEEN], scalars[LAST]
    memory.counts.slow[FROZEN], memory.counts.slow[LATER] = memory.belief.counts[0], 0
    derive(memory.counts, memory.belief, memory.plan)
    for channel in range(len(plan_of.channels)):
        memory.belief.begun[channel] = scalars[SEEN]


def _level(memory: State, plan_of: Design) -> tuple[npt.NDArray[np.int64] | None, bool]:
    """Counts (k,) of the present level, None where too few responses show it, and whether those that show it are at rest."""
    panes = full_panes(memory.counts)
    stride = int(memory.counts.scalars[STRIDE])
    begun = max(
        (memory.alarms[rule].onset.seq for rule in (Rule.DRIFT, Rule.TRAFFIC_MIX) if rule in memory.alarms), default=0
    )
    end = int(memory.counts.scalars[SEEN]) // stride * stride
    panes = panes[max(0, len(panes) - max(end - begun, 0) // stride) :]
    totals = np.cumsum(panes, axis=0)
    if len(panes) * stride < FEWEST:
        return None, True
    cuts = totals[[round(part * len(panes)) - 1 for part in QUARTERS if round(part * len(panes))]]
    if not is_stable(cuts, totals[-1], plan_of.channels[0].streams):
        return None, False
    return totals[-1], True
