"""Which monitors have been silent for too long: the one thing that no record can say by itself, so a tick is written into the log.

The worker's clock only measures how long it has waited: the tick's time is that of the monitor's last response and the time waited since.
A restart begins to wait anew, so a tick may be late, but never says more than was waited.
"""

from collections.abc import Iterator, Mapping

from stream.codec.control import encode_order
from stream.core.control import Tick
from stream.core.monitor import Monitor
from stream.core.records import Source
from stream.core.settings import EngineSettings
from stream.pipeline import Keyed


class Silences:
    """Remembers when each monitor was last heard, in seconds of a clock that never goes back."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._heard: dict[bytes, float] = {}
        self._told: set[bytes] = set()

    def hear(self, monitor: bytes, *, now: float) -> None:
        """Counts a response of the monitor."""
        if self._settings.no_data is not None:
            self._heard[monitor] = now
            self._told.discard(monitor)

    def look(self, states: Mapping[bytes, bytes], *, now: float) -> Iterator[Keyed]:
        """A tick for each of the monitors that has become silent since it was last heard; one that is not owned any more is forgotten."""
        rule = self._settings.no_data
        for gone in self._heard.keys() - states.keys():
            del self._heard[gone]
            self._told.discard(gone)
        for monitor in list(states) if rule else ():
            waited = round((now - self._heard.setdefault(monitor, now)) * 1_000_000)
            if rule and waited >= rule.after and monitor not in self._told:
                self._told.add(monitor)
                seen = Monitor.restore(monitor.decode(), self._settings, states[monitor]).glance()
                tick = Tick(monitor=monitor.decode(), ts=seen.ts + waited, source=Source("", 0), offset=0)
                yield Keyed(monitor, encode_order(tick))
