"""What the orders in a log do to a monitor: which alerts they close or raise, as findings; the monitor makes the events of them."""

from stream.core import baseline, levels, outside, rules, silence
from stream.core.alerts import Finding
from stream.core.control import Accept, Order
from stream.core.detectors import Design, hold, restart
from stream.core.events import Reason, Rule
from stream.core.kernel import LAST, LEARNT, weigh
from stream.core.limits import Silence
from stream.core.state import State


def obey(memory: State, plan_of: Design, order: Order) -> tuple[list[Finding], bool]:
    """The findings of an order that is obeyed for the first time, and whether the monitor's reference is at rest after it."""
    if memory.counts.scalars[LEARNT] < 0:
        weigh(memory.belief, memory.plan)  # a block may have joined a reference since the last response
    if isinstance(order, Accept):
        findings = _against_the_reference(memory, plan_of, Reason.ACCEPTED)
        return findings, baseline.accept(memory, plan_of, order.learn)
    rule = plan_of.settings.no_data
    if rule is None or order.ts - int(memory.counts.scalars[LAST]) < rule.after:
        return [], True
    if rule.policy is Silence.RESOLVE:
        return _close_all(memory, plan_of), True
    return ([] if Rule.NO_DATA in memory.alarms else [silence.silent(memory, plan_of, rule, order.ts)]), True


def _against_the_reference(memory: State, plan_of: Design, reason: Reason) -> list[Finding]:
    """Findings that close the alerts of the channels."""
    firing = memory.belief.firing.tolist()
    return [rules.over(memory, plan_of, channel, reason) for channel, fires in enumerate(firing) if fires]


def _close_all(memory: State, plan_of: Design) -> list[Finding]:
    """Findings that close every open alert because nothing comes any more; the evidence behind them is forgotten."""
    found = _against_the_reference(memory, plan_of, Reason.SILENT)
    for channel, fires in enumerate(memory.belief.firing.tolist()):
        if fires:
            hold(memory.counts, memory.belief, channel, firing=False)
            restart(memory.counts, memory.belief, plan_of, channel)
    if Rule.ENTROPY_RATE in memory.alarms:
        found.append(rules.rate_over(memory, plan_of, Reason.SILENT))
    closed = (
        *(levels.over(memory, plan_of, place, Reason.SILENT) for place in range(len(plan_of.settings.limits))),
        *(outside.over(memory, plan_of, place, Reason.SILENT) for place in range(len(plan_of.settings.watchers))),
    )
    return [*found, *(finding for finding in closed if finding is not None)]
