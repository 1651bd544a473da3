"""All monitors of one reader, by name: what replay holds in memory and the worker holds in a table."""

from collections.abc import Mapping
from types import MappingProxyType

from stream.core.control import Entry
from stream.core.monitor import Monitor, Observed
from stream.core.settings import EngineSettings


class Engine:
    """Gives each record of the log to its monitor, and makes the monitor when its first record comes.

    Examples:
        >>> Engine(EngineSettings()).monitors
        mappingproxy({})
    """

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self._monitors: dict[str, Monitor] = {}

    @property
    def monitors(self) -> Mapping[str, Monitor]:
        """Live view of the monitors by name, in order of appearance."""
        return MappingProxyType(self._monitors)

    def observe(self, entry: Entry) -> Observed:
        """Let its monitor take the record, and say what it shows."""
        monitor = self._monitors.get(entry.monitor)
        if monitor is None:
            monitor = self._monitors[entry.monitor] = Monitor(entry.monitor, self.settings)
        return monitor.observe(entry)
