"""One monitor: everything that is known about one stream of responses, as a pure function of its ordered log."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stream.core import baseline, levels, orders, outside, rules, silence, slow
from stream.core.alerts import Finding, Open, Place, alert
from stream.core.batch import Batch, fresh
from stream.core.control import Accept, Entry, Order
from stream.core.describe import drift_event
from stream.core.detectors import design, hold, restart
from stream.core.events import AlertEvent, DriftEvent, Rule, State, Status
from stream.core.kernel import (
    ALARM,
    DUE,
    FULL_PANE,
    LAST,
    LEARNED,
    LEARNT,
    PARTIAL,
    SEEN,
    STRIDE,
    WINDOW,
    advance,
)
from stream.core.records import Micros, Scored
from stream.core.settings import EngineSettings
from stream.core.state import check, new_state, pack, unpack
from stream.core.window import EXAMPLES

PENDING = 0.25
"""Share of the limit from which a monitor is `pending`: three in four such rises go back by themselves."""


_QUIET = frozenset((Rule.TRAFFIC_MIX.value, Rule.ENTROPY_RATE.value))
"""Rules whose alerts leave a monitor's state as it is: an information, and one that noise sets off."""


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
        return self._count(entry) if isinstance(entry, Scored) else self._obey(entry)

    def _count(self, scored: Scored) -> Observed:
        memory, settings = self._memory, self.settings
        counted = memory.offsets.get(scored.source, -1)
        batch = fresh(scored, counted, settings)
        drift: list[DriftEvent] = []
        alerts: list[AlertEvent] = []
        index, n = 0, len(batch)
        if n and settings.no_data and Rule.NO_DATA in memory.alarms:
            finding = silence.heard(memory, self._design, settings.no_data, int(batch.times[0]))
            alerts.append(self._enter(finding, self._place(batch, 0, self.seen)))
        elsewhere = memory.aged is not None or batch.doubts is not None or bool(batch.attributes)
        while index < n:
            begun = index
            index, code = advance(batch.categories, batch.times, index, memory.counts, memory.belief, memory.plan)
            if elsewhere:
                self._count_elsewhere(batch, begun, index)
                if code & FULL_PANE:
                    self._close_elsewhere()
            if code:
                self._attend(code, index - 1, batch, drift, alerts)
        if n:
            self._remember(batch)
            memory.offsets[scored.source] = batch.last
            memory.classifier = batch.classifier
        return Observed(drift=tuple(drift), alerts=tuple(alerts), counted=n, skipped=len(scored) - n)

    def _count_elsewhere(self, batch: Batch, begun: int, end: int) -> None:
        """Count a part of a record, after the kernel has, wherever the settings want more of it than that."""
        memory, before = self._memory, self.seen - (end - begun)
        if batch.doubts is not None:
            memory.doubts[-1] += batch.doubts[end] - batch.doubts[begun]
        if memory.aged is not None:
            memory.aged.take(batch.categories, batch.times, (begun, end), before)
        if batch.attributes:
            memory.contrast.count(batch.attributes, batch.categories, (begun, end), before)

    def _close_elsewhere(self) -> None:
        """Close the pane there, too."""
        memory = self._memory
        memory.contrast.close_pane(memory.counts)
        if memory.aged is not None:
            memory.aged.turn()
        if len(memory.doubts):
            self._turn_doubts()

    def glance(self) -> Glance:
        """What a person wants to see of it, after its last response."""
        counts, aged = self._memory.counts, self._memory.aged
        window = counts.rows[WINDOW] + counts.rows[PARTIAL] if aged is None else aged.panes.sum(axis=0)
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

    @staticmethod
    def check(settings: EngineSettings, state: bytes) -> None:
        """Looks whether `restore` may take up a state, without the cost of doing so: version and settings only.

        Raises:
            StateError: the state was written by another version or under other settings; the message says what to do.
        """
        check(design(settings), state)

    def _attend(self, code: int, index: int, batch: Batch, drift: list[DriftEvent], alerts: list[AlertEvent]) -> None:
        """Do what a response calls for: alarms, then resolutions and the paper's rule at a stride, then the drift event."""
        memory, plan_of = self._memory, self._design
        place = self._place(batch, index, self.seen - 1)
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
            elif code & DUE and channel == 0:
                self._remember(batch)
                finding = slow.look(memory, plan_of)
                slow.turn(memory, fired=finding is not None)
            if finding:
                decided.append(channel)
                hold(memory.counts, memory.belief, channel, firing=finding.status is Status.FIRING)
                alerts.append(self._enter(finding, place))
        if code & FULL_PANE and (self.settings.limits or self.settings.watchers or self.settings.epsilon is not None):
            alerts.extend(self._enter(finding, place) for finding in self._judge_window(delta, batch))
        if code & (FULL_PANE | LEARNED | ALARM):
            condition = State.UNSTABLE_REFERENCE if unstable else self._condition()
            drift.append(drift_event(memory, plan_of, place, condition, delta))
        for channel in decided:
            restart(memory.counts, memory.belief, plan_of, channel)

    def _judge_window(self, delta: float | None, batch: Batch) -> Iterator[Finding]:
        """What the rules find that look at the window of a stride alone."""
        memory, plan_of, settings = self._memory, self._design, self.settings
        self._remember(batch)
        if delta is not None and settings.epsilon is not None:
            finding = rules.rate_moved(memory, plan_of, delta, settings.epsilon)
            if finding:
                yield finding
        for place in range(len(settings.limits)):
            finding = levels.judge(memory, plan_of, place)
            if finding:
                yield finding
        for place in range(len(settings.watchers)):
            finding = outside.judge(memory, plan_of, place)
            if finding:
                yield finding

    def _enter(self, finding: Finding, place: Place) -> AlertEvent:
        """Open or close the rule's alert, and give the event that says so."""
        memory, key = self._memory, finding.key(self.settings.taxonomy)
        if finding.status is Status.RESOLVED:
            del memory.alarms[key]
        else:
            memory.alarms[key] = Open(
                seq=place.seq,
                starts_at=finding.starts_at,
                severity=finding.severity,
                onset=finding.onset,
                level=tuple(finding.counts.tolist()),
            )
        contrasts = memory.contrast.of(finding, memory.counts, self.settings.taxonomy)
        return replace(alert(finding, place, self.settings.taxonomy), contrasts=contrasts)

    def _obey(self, order: Order) -> Observed:
        """Do what an order says, once; a monitor that has seen nothing has no level, and is not silent."""
        memory = self._memory
        fresh_one = order.offset > memory.offsets.get(order.source, -1)
        if fresh_one:
            memory.offsets[order.source] = order.offset
        if not (fresh_one and self.seen):
            return Observed(drift=(), alerts=(), counted=0, skipped=0)
        findings, stable = orders.obey(memory, self._design, order)
        accepted = isinstance(order, Accept)
        if accepted:
            memory.contrast.forget(memory.counts)
        place = Place(
            monitor=self.name,
            event_id=order.control_id if isinstance(order, Accept) else f"silent until {order.ts}",
            ts=int(memory.counts.scalars[LAST]) if accepted else order.ts,
            seq=self.seen - 1,
            classifier=memory.classifier,
        )
        alerts = tuple(self._enter(finding, place) for finding in findings)
        condition = self._condition() if stable else State.UNSTABLE_REFERENCE
        changed = accepted or alerts
        drift = (drift_event(memory, self._design, place, condition, None),) if changed else ()
        return Observed(drift=drift, alerts=alerts, counted=0, skipped=0)

    def _place(self, batch: Batch, index: int, seq: int) -> Place:
        """The place of a response of the batch."""
        return Place(
            monitor=self.name,
            event_id=batch.event_ids[index],
            ts=int(batch.times[index]),
            seq=seq,
            classifier=batch.classifier,
        )

    def _turn_doubts(self) -> None:
        """Move the open pane's doubts into the ring, as `close_pane` does with its counts."""
        doubts, scalars = self._memory.doubts, self._memory.counts.scalars
        doubts[(int(scalars[SEEN]) // int(scalars[STRIDE]) - 1) % (len(doubts) - 1)] = doubts[-1]
        doubts[-1] = 0

    def _condition(self) -> State:
        memory = self._memory
        if memory.counts.scalars[LEARNT] >= 0:
            return State.LEARNING
        if memory.alarms and not memory.alarms.keys() <= _QUIET:
            return State.FIRING
        near = bool(memory.belief.statistic[0] >= PENDING * memory.plan.limit[0])
        near = near or bool(self.settings.limits and levels.pending(memory, self._design))
        return State.PENDING if near else State.OK

    def _remember(self, batch: Batch) -> None:
        """Move the ids of each category's last responses from the record to memory."""
        latest = self._memory.counts.latest
        for category, places in enumerate(latest.tolist()):
            if places[0] >= 0:
                new = tuple(batch.event_ids[place] for place in places if place >= 0)
                self._memory.examples[category] = (new + self._memory.examples[category])[:EXAMPLES]
        latest[:] = -1
