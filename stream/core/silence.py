"""The rule for silence: a tick in the log says how long nothing has come, the next response says that it is over.

Only a record can say that nothing came, for a monitor has no clock. The worker writes one tick when a monitor has been silent for as long
as the rule allows; a replay of the log reads it in the same place.
"""

import numpy as np

from stream.core.alerts import Finding, closing
from stream.core.detectors import Design
from stream.core.events import Onset, Reason, Rule, Status
from stream.core.kernel import LAST, PARTIAL, SEEN, WINDOW
from stream.core.limits import NoData
from stream.core.records import Micros
from stream.core.state import State


def silent(state: State, plan_of: Design, rule: NoData, at: Micros) -> Finding:
    """The finding at a tick: the onset is the last response; the statistic is the silence in seconds."""
    last, seen = int(state.counts.scalars[LAST]), int(state.counts.scalars[SEEN])
    window = state.counts.rows[WINDOW] + state.counts.rows[PARTIAL]
    return Finding(
        rule=Rule.NO_DATA,
        status=Status.FIRING,
        reason=Reason.SILENT,
        severity=rule.severity,
        starts_at=at,
        onset=Onset(ts=last, seq=seen - 1, low=last, high=last),
        counts=window,
        reference_counts=state.belief.counts[0].copy(),
        contribution=np.zeros(len(plan_of.settings.taxonomy)),
        statistic=max(at - last, 0) / 1e6,
        threshold=rule.after / 1e6,
        false_alarm_interval=None,
    )


def heard(state: State, plan_of: Design, rule: NoData, at: Micros) -> Finding:
    """The finding at the first response after an alert, whose time is `at`."""
    return closing(silent(state, plan_of, rule, at), state.alarms[Rule.NO_DATA], Reason.DATA_RETURNED)
