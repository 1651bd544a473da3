"""One monitor: everything that is known about one stream of responses, as a pure function of its ordered log."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream.core import baseline, rules
from stream.core.alerts import Finding, Open, Place, alert
from stream.core.control import Accept, Entry
from stream.core.describe import drift_event
from stream.core.detectors import design, hold, restart
from stream.core.kernel import (
    ALARM,
    FULL_BLOCK,
    FULL_PANE,
    LAST,
    LEARNED,
    LEARNT,
    PARTIAL,
    SEEN,
    WINDOW,
    advance,
    close_block,
    close_pane,
    extremes,
    weigh,
)
from stream.core.records import AlertEvent, DriftEvent, Micros, Reason, Rule, Scored, State, Status
from stream.core.settings import EngineSettings
from stream.core.state import new_state, pack, unpack
from stream.core.window import EXAMPLES

PENDING = 0.25
"""Share of the limit from which a monitor is `pending`: three in four such rises go back by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one record of the log gave rise to, in log order; `counted` + `skipped` is its number of responses."""

    drift: tuple[DriftEvent, ...]
    alerts: tuple[AlertEvent, ...]
    counted: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """A monitor after response `seq` (-1 before the first): that response's time, the state, and the counts of the window."""

    seq: int
    ts: Micros
    state: State
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """The responses of a record that are counted, who labelled them, and the last offset counted after them."""

    categories: npt.NDArray[np.uint8]
    times: npt.NDArray[np.int64]
    event_ids: tuple[str, ...]
    classifier: str
    last: int


class Monitor:
    """Judges the responses of one monitor in log order, wherever micro-batches were cut."""

    def __init__(self, name: str, settings: EngineSettings) -> None:
        self.name = name
        self._design = design(settings)
        self._memory = new_state(self._design)
        if settings.reference is not None:
            baseline.given(self._memory, self._design, settings.reference)

    @property
    def settings(self) -> EngineSettings:
        """The settings that it was made with."""
        return self._design.settings

    @property
    def seen(self) -> int:
        """Number of responses counted so far, which is also the `seq` of the next one."""
        return int(self._memory.counts.scalars[SEEN])

    def observe(self, entry: Entry) -> Observed:
        """Take the log's next record: count its responses or do what it says, unless its offset was counted before; say what it shows.

        Raises:
            ValueError: a category is outside the taxonomy, or the columns differ in length.
        """
        return self._accept(entry) if isinstance(entry, Accept) else self._count(entry)

    def _count(self, scored: Scored) -> Observed:
        batch = _fresh(scored, self._memory.offsets.get(scored.source, -1), len(self.settings.taxonomy))
        drift: list[DriftEvent] = []
        alerts: list[AlertEvent] = []
        memory, index, n = self._memory, 0, len(batch.event_ids)
        while index < n:
            index, code = advance(batch.categories, batch.times, index, memory.counts, memory.belief, memory.plan)
            if code & FULL_BLOCK:
                close_block(memory.counts, memory.belief, memory.plan)
            if code & FULL_PANE:
                close_pane(memory.counts)
            if code & ~FULL_BLOCK:
                self._attend(code, index - 1, batch, drift, alerts)
        if n:
            self._remember(batch)
            memory.offsets[scored.source] = batch.last
            memory.classifier = batch.classifier
        return Observed(drift=tuple(drift), alerts=tuple(alerts), counted=n, skipped=len(scored) - n)

    def glance(self) -> Glance:
        """What a person wants to see of it, after its last response."""
        counts = self._memory.counts
        window = counts.rows[WINDOW] + counts.rows[PARTIAL]
        last = int(counts.scalars[LAST])
        return Glance(seq=self.seen - 1, ts=last, state=self._condition(), counts=tuple(window.tolist()))

    def snapshot(self) -> bytes:
        """Everything that `restore` needs to go on exactly here."""
        return pack(self._memory, self._design)

    @classmethod
    def restore(cls, name: str, settings: EngineSettings, state: bytes) -> "Monitor":
        """Take up a monitor where `snapshot` left it.

        Raises:
            StateError: the state was written by another version or under other settings; the message says what to do.
        """
        monitor = cls.__new__(cls)
        monitor.name = name
        monitor._design = design(settings)
        monitor._memory = unpack(monitor._design, state)
        return monitor

    def _attend(self, code: int, index: int, batch: _Batch, drift: list[DriftEvent], alerts: list[AlertEvent]) -> None:
        """Do what a response calls for: alarms, then resolutions and the paper's rule at a stride, then the drift event."""
        memory, plan_of = self._memory, self._design
        place = Place(
            monitor=self.name,
            event_id=batch.event_ids[index],
            ts=int(batch.times[index]),
            seq=self.seen - 1,
            classifier=batch.classifier,
        )
        unstable = bool(code & LEARNED) and not baseline.learned(memory, plan_of)
        delta = rules.step(memory, plan_of) if code & FULL_PANE else None
        decided: list[int] = []
        for channel in range(len(plan_of.channels)):
            finding = None
            if code & (ALARM << channel):
                self._remember(batch)
                finding = rules.changed(memory, plan_of, channel)
            elif code & FULL_PANE and memory.belief.firing[channel]:
                finding = rules.returned(memory, plan_of, channel)
            if finding:
                decided.append(channel)
                hold(memory.counts, memory.belief, channel, firing=finding.status is Status.FIRING)
                alerts.append(self._enter(finding, place))
        if delta is not None and self.settings.epsilon is not None:
            self._remember(batch)
            finding = rules.rate_moved(memory, plan_of, delta, self.settings.epsilon)
            if finding:
                alerts.append(self._enter(finding, place))
        if code & (FULL_PANE | LEARNED | ALARM):
            condition = State.UNSTABLE_REFERENCE if unstable else self._condition()
            drift.append(drift_event(memory, plan_of, place, condition, delta))
        for channel in decided:
            restart(memory.counts, memory.belief, plan_of, channel)

    def _enter(self, finding: Finding, place: Place) -> AlertEvent:
        """Open or close the rule's alert, and give the event that says so."""
        if finding.status is Status.RESOLVED:
            del self._memory.alarms[finding.rule]
        else:
            self._memory.alarms[finding.rule] = Open(
                seq=place.seq,
                starts_at=finding.starts_at,
                severity=finding.severity,
                onset=finding.onset,
                level=tuple(finding.counts.tolist()),
            )
        return alert(finding, place, self.settings.taxonomy)

    def _accept(self, order: Accept) -> Observed:
        """Close the alerts that were raised against the reference, and begin a new one; a monitor that has seen nothing has no level."""
        memory, plan_of = self._memory, self._design
        fresh = order.offset > memory.offsets.get(order.source, -1)
        if not (fresh and self.seen):
            return Observed(drift=(), alerts=(), counted=0, skipped=0)
        memory.offsets[order.source] = order.offset
        if memory.counts.scalars[LEARNT] < 0:
            weigh(memory.belief, memory.plan)  # a block may have joined a reference since the last response
        place = Place(
            monitor=self.name,
            event_id=order.control_id,
            ts=int(memory.counts.scalars[LAST]),
            seq=self.seen - 1,
            classifier=memory.classifier,
        )
        findings = [
            rules.over(memory, plan_of, channel, Reason.ACCEPTED)
            for channel in range(len(plan_of.channels))
            if memory.belief.firing[channel]
        ]
        stable = baseline.accept(memory, plan_of, order.learn)
        alerts = [self._enter(finding, place) for finding in findings]
        condition = self._condition() if stable else State.UNSTABLE_REFERENCE
        event = drift_event(memory, plan_of, place, condition, None)
        return Observed(drift=(event,), alerts=tuple(alerts), counted=0, skipped=0)

    def _condition(self) -> State:
        memory = self._memory
        if memory.counts.scalars[LEARNT] >= 0:
            return State.LEARNING
        if Rule.DRIFT in memory.alarms:
            return State.FIRING
        return State.PENDING if memory.belief.statistic[0] >= PENDING * memory.plan.limit[0] else State.OK

    def _remember(self, batch: _Batch) -> None:
        """Move the ids of each category's last responses from the record to memory."""
        latest = self._memory.counts.latest
        for category, places in enumerate(latest.tolist()):
            if places[0] >= 0:
                new = tuple(batch.event_ids[place] for place in places if place >= 0)
                self._memory.examples[category] = (new + self._memory.examples[category])[:EXAMPLES]
        latest[:] = -1


def _fresh(scored: Scored, counted: int, categories: int) -> _Batch:
    """The responses of a record whose offset is above the last one counted, checked, for the kernel trusts its input.

    Columns are copied: the kernel is compiled for arrays that may be written to, and those of a decoded record may not.
    """
    n = len(scored.event_id)
    if not (len(scored.category) == len(scored.ts) == len(scored.offset) == n):
        raise ValueError(
            f"columns of a scored record must have one length, got {n} ids for {len(scored.category)} categories"
        )
    category, times = np.array(scored.category, np.uint8), np.array(scored.ts, np.int64)
    ids, last = scored.event_id, counted
    if n:
        largest, low, high = extremes(category, np.array(scored.offset, np.int64))
        if largest >= categories:
            raise ValueError(f"category must be below {categories}, got {largest}")
        if low <= counted:
            new = scored.offset > counted
            category, times = category[new], times[new]
            ids = tuple(event_id for event_id, keep in zip(ids, new.tolist(), strict=True) if keep)
        last = max(high, counted)
    return _Batch(categories=category, times=times, event_ids=ids, classifier=scored.classifier, last=last)
