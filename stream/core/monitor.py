"""One monitor: everything that is known about one stream of responses, as a pure function of its ordered log."""

from dataclasses import dataclass

from stream.core.records import AlertEvent, DriftEvent, Scored
from stream.core.settings import EngineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one scored record gave rise to, in log order; `counted` + `skipped` is its number of responses."""

    drift: tuple[DriftEvent, ...]
    alerts: tuple[AlertEvent, ...]
    counted: int
    skipped: int


class Monitor:
    """Judges the responses of one monitor in log order, wherever micro-batches were cut."""

    def __init__(self, name: str, settings: EngineSettings) -> None:
        self.name = name
        self.settings = settings

    def observe(self, scored: Scored) -> Observed:
        """Count a record's responses, except those whose offset was counted before, and say what they show."""
        return Observed(drift=(), alerts=(), counted=len(scored), skipped=0)

    def snapshot(self) -> bytes:
        """Everything that `restore` needs to go on exactly here."""
        return b""

    @classmethod
    def restore(cls, name: str, settings: EngineSettings, state: bytes) -> "Monitor":
        """Take up a monitor where `snapshot` left it.

        Raises:
            StateError: the state was written by another version or under other settings; the message says what to do.
        """
        return cls(name, settings)
