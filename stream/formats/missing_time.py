"""What becomes of an event that names no time: a value, so that no decoder ever asks a clock."""

from dataclasses import dataclass

from stream import times
from stream.core.records import Micros, SourceRecord


@dataclass(frozen=True, slots=True)
class RecordTime:
    """An event without a time gets its record's: Kafka's, when the record was produced. For live streams and topics."""

    def of(self, record: SourceRecord) -> Micros | None:
        """Returns the record's timestamp, None where it has no sensible one (Kafka says -1 for none)."""
        return times.known(record.timestamp)


@dataclass(frozen=True, slots=True)
class Spaced:
    """An event without a time gets `start` + its record's offset times `every`, both in microseconds. For `--every`.

    Raises:
        ValueError: `every` is not positive, or `start` lies outside 2000 to 2099.
    """

    every: Micros
    start: Micros = times.EARLIEST

    def __post_init__(self) -> None:
        if self.every <= 0:
            raise ValueError(f"every must be above 0 microseconds, got {self.every}")
        times.checked(self.start)

    def of(self, record: SourceRecord) -> Micros | None:
        """Returns the record's place in time, None after the year 2099."""
        return self.at(record.offset)

    def at(self, offset: int) -> Micros | None:
        """Returns the place in time of the record with this offset, None after the year 2099."""
        return times.known(self.start + offset * self.every)


@dataclass(frozen=True, slots=True)
class Demanded:
    """An event without a time is rejected as `no_time`. For files, whose reader then stops and says what to do."""

    def of(self, record: SourceRecord) -> Micros | None:  # noqa: ARG002 - the same call for every policy
        """Returns None."""
        return None


MissingTime = RecordTime | Spaced | Demanded
"""What becomes of an event that names no time: a value, so that no decoder ever asks a clock."""
