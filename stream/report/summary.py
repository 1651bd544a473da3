"""`summary.json`: what a run saw, in numbers, by monitor; the head of its report."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from stream import times
from stream.core.aged import SECOND
from stream.core.events import AlertEvent, DriftEvent, Status
from stream.core.records import RejectReason, Scored
from stream.core.settings import EngineSettings
from stream.wording import span

SCHEMA = "valuedrift.summary/1"


class MonitorSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One monitor: its responses by behaviour, and its state, entropies (nats) and reference at its last drift event, None before any."""

    monitor: str
    responses: int
    first_ts: str
    last_ts: str
    counts: dict[str, int]
    state: str | None
    entropy: float | None
    reference_entropy: float | None
    reference_n: int | None
    alerts_fired: int
    alerts_resolved: int


class SettingsInForce(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's settings, as `EngineSettings` has them."""

    window: int
    stride: int
    learn_from: int
    false_alarm_interval: int
    watch: str
    traffic_mix: bool
    epsilon: float | None
    window_age_s: float | None = None
    fingerprint: str

    @property
    def window_text(self) -> str:
        """What S(t) is of: `500 responses`, or `1 h` where windows go by age."""
        if self.window_age_s is None:
            return f"{self.window:,} responses"
        return f"{self.window_age_s:g} s" if self.window_age_s % 60 else span(self.window_age_s)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run; `notes` say what a reader must know about the data."""

    schema: str
    sources: list[str]
    classifiers: list[str]
    notes: list[str]
    responses: int
    alerts_fired: int
    alerts_resolved: int
    dead_letters: dict[str, int]
    settings: SettingsInForce
    categories: list[str]
    monitors: list[MonitorSummary]


class Tally:
    """Counts what passes, to be asked for a summary at the end; its size depends on the number of monitors only."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._monitors: dict[str, _MonitorTally] = {}
        self._classifiers: dict[str, None] = {}
        self._dead: Counter[str] = Counter()

    @property
    def responses(self) -> int:
        """Responses counted so far."""
        return sum(int(monitor.counts.sum()) for monitor in self._monitors.values())

    def scored(self, scored: Scored) -> None:
        """Count the responses of a scored record, which has at least one."""
        monitor = self._monitors.get(scored.monitor)
        first, last = int(scored.ts[0]), int(scored.ts[-1])
        if monitor is None:
            monitor = self._monitors[scored.monitor] = _MonitorTally(len(self._settings.taxonomy), first)
        monitor.counts += np.bincount(scored.category, minlength=len(self._settings.taxonomy))
        monitor.last_ts = last
        self._classifiers[scored.classifier] = None

    def dead(self, reasons: Iterable[RejectReason]) -> None:
        """Count dead letters."""
        self._dead.update(reason.value for reason in reasons)

    def drift(self, event: DriftEvent) -> None:
        """Remember the last drift event of its monitor."""
        self._monitors[event.monitor].last = event

    def alert(self, event: AlertEvent) -> None:
        """Count an alert for its monitor."""
        self._monitors[event.monitor].alerts[event.status] += 1

    def summary(self, *, sources: Sequence[str], notes: Sequence[str] = ()) -> Summary:
        """Everything counted so far; monitors in order of appearance."""
        names = self._settings.taxonomy.names
        monitors = [monitor.summary(name, names) for name, monitor in self._monitors.items()]
        return Summary(
            schema=SCHEMA,
            sources=list(sources),
            classifiers=list(self._classifiers),
            notes=list(notes),
            responses=sum(monitor.responses for monitor in monitors),
            alerts_fired=sum(monitor.alerts_fired for monitor in monitors),
            alerts_resolved=sum(monitor.alerts_resolved for monitor in monitors),
            dead_letters=dict(sorted(self._dead.items())),
            settings=_in_force(self._settings),
            categories=list(names),
            monitors=monitors,
        )


class _MonitorTally:
    __slots__ = ("alerts", "counts", "first_ts", "last", "last_ts")

    def __init__(self, categories: int, first_ts: int) -> None:
        self.counts = np.zeros(categories, dtype=np.int64)
        self.first_ts = first_ts
        self.last_ts = first_ts
        self.last: DriftEvent | None = None
        self.alerts: Counter[Status] = Counter()

    def summary(self, name: str, categories: Sequence[str]) -> MonitorSummary:
        last = self.last
        return MonitorSummary(
            monitor=name,
            responses=int(self.counts.sum()),
            first_ts=times.render(self.first_ts),
            last_ts=times.render(self.last_ts),
            counts=dict(zip(categories, self.counts.tolist(), strict=True)),
            state=last.state.value if last else None,
            entropy=last.entropy.value if last else None,
            reference_entropy=last.reference.entropy if last else None,
            reference_n=last.reference.n if last else None,
            alerts_fired=self.alerts[Status.FIRING],
            alerts_resolved=self.alerts[Status.RESOLVED],
        )


def _in_force(settings: EngineSettings) -> SettingsInForce:
    return SettingsInForce(
        window=settings.window,
        stride=settings.stride,
        learn_from=settings.learn_from,
        false_alarm_interval=settings.false_alarm_interval,
        watch=settings.watch,
        traffic_mix=settings.traffic_mix,
        epsilon=settings.epsilon,
        window_age_s=None if settings.window_age is None else settings.window_age / SECOND,
        fingerprint=settings.fingerprint,
    )
