"""Drift events: what a monitor's state looks like from outside, at one response."""

from stream.core.alerts import Place, digits, identity
from stream.core.detectors import Design
from stream.core.entropy import entropy, measure
from stream.core.events import DriftEvent, EntropyEstimate, Origin, Rate, Reference, Since, State
from stream.core.kernel import GIVEN, LEARNT, ORIGIN, PARTIAL, SEEN, SINCE, SINCE_TS, WINDOW
from stream.core.rate import rate
from stream.core.rules import shown
from stream.core.state import State as Memory
from stream.core.window import kept, span

_ORIGINS = (Origin.LEARNED, Origin.ACCEPTED, Origin.FILE)
"""By the kernel's numbers for them."""


def drift_event(memory: Memory, plan_of: Design, place: Place, condition: State, delta: float | None) -> DriftEvent:
    """The state after the response at `place`; the window is the full panes kept and the open one, or that by age."""
    counts = memory.counts
    aged = memory.aged
    window = counts.rows[WINDOW] + counts.rows[PARTIAL] if aged is None else aged.panes.sum(axis=0)
    measured = measure(window, plan_of.kinds)
    slope = rate(counts, kept(counts))
    by_category = tuple(window.tolist())
    n = sum(by_category)
    sigma = plan_of.settings.sigma
    return DriftEvent(
        drift_id=identity(place.monitor, "drift", place.event_id, place.seq),
        monitor=place.monitor,
        ts=place.ts,
        seq=place.seq,
        n=n,
        window=span(counts, n) if aged is None else aged.span(n, int(counts.scalars[SEEN])),
        counts=by_category,
        entropy=EntropyEstimate(
            value=digits(measured.value),
            corrected=digits(measured.corrected),
            low=digits(measured.low),
            high=digits(measured.high),
        ),
        traffic_entropy=digits(measured.traffic),
        behaviour_entropy=digits(measured.behaviour),
        delta=None if delta is None else digits(delta),
        rate=None if slope is None else _rounded(slope),
        sigma=None if sigma is None else digits(sigma),
        gamma_eff=None if sigma is None or slope is None else digits(sigma - slope.value),
        statistic=digits(shown(memory.belief.statistic[0])),
        threshold=digits(shown(memory.plan.limit[0])),
        state=condition,
        reference=_reference(memory, plan_of),
        aside=None if aged is None else aged.aside(),
    )


def _reference(memory: Memory, plan_of: Design) -> Reference:
    """The drift rule's reference; one in force from a monitor's first response on has no response before it, hence no time."""
    counts, scalars = memory.belief.counts[0], memory.counts.scalars
    learning = bool(scalars[LEARNT] >= 0)
    begun = int(scalars[SINCE])
    return Reference(
        origin=_ORIGINS[int(scalars[ORIGIN])],
        n=int(scalars[LEARNT]) if learning else int(memory.belief.size[0]),
        target=plan_of.settings.learn_from,
        counts=tuple(counts.tolist()),
        entropy=digits(entropy(counts)),
        since=None if learning else Since(seq=begun, ts=int(scalars[SINCE_TS]) if begun else None),
        growing=bool(scalars[ORIGIN] != GIVEN and not memory.belief.firing[0]),
    )


def _rounded(slope: Rate) -> Rate:
    return Rate(value=digits(slope.value), low=digits(slope.low), high=digits(slope.high), unit=slope.unit)
