"""The cap on dead letters: a wrong deployment must not drain a topic into them."""

from collections import Counter, deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from stream.core.records import DeadLetter, RejectReason, Source, SourceRecord
from stream.errors import WorkerError

WINDOW = 500
"""Records of a partition that a share is taken of."""

UNCOUNTED = frozenset({*(reason for reason in RejectReason if reason.skipped), RejectReason.TOO_MANY_MONITORS})
"""Letters that do not count: nothing is to be repaired, or names flood a topic that keeps its records, which must not stop the worker."""


Outcomes = list[tuple[int, RejectReason | None]]
"""Of one partition's records: offset, and why it cannot be used."""


class CapError(WorkerError):
    """Too much of a partition cannot be used; `source` says which partition."""

    def __init__(self, message: str, *, source: Source) -> None:
        super().__init__(message)
        self.source = source


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of one partition may be unusable: so many records in a row, and this share of the last `WINDOW`; 0 and 1 are no limit."""

    in_a_row: int = 0
    share: float = 1.0

    @property
    def none(self) -> bool:
        """Whether everything may become a dead letter."""
        return not self.in_a_row and self.share >= 1


@dataclass(slots=True)
class _Seen:
    run: int = 0
    last: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))


class Cap:
    """Counts unusable records partition by partition and refuses a micro-batch with which they are too many.

    A record is unusable if all that it gave are dead letters of which at least one asks for a repair; records that are merely
    skipped (`UNCOUNTED`) are not counted at all. After a worker has stopped at a partition, `stopped` says so to the next one:
    it goes on only if less than half of the first micro-batch is unusable, and sends no letter before.
    """

    def __init__(self, limits: Limits, *, advice: str = "") -> None:
        self._limits = limits
        self._advice = advice
        self._seen: dict[Source, _Seen] = {}

    def forget(self) -> None:
        """Begins to count anew."""
        self._seen.clear()

    def count(
        self,
        records: Sequence[SourceRecord],
        dead: Sequence[DeadLetter],
        *,
        used: Container[tuple[Source, int]] = frozenset(),
        stopped: Container[Source] = frozenset(),
    ) -> None:
        """Counts a micro-batch; `used` are places of records that gave something useful beside a dead letter.

        Raises:
            CapError: it is too much; the message says why, and what to do.
        """
        if self._limits.none:
            return
        if not dead:
            self._pass(records)
            return
        reasons: dict[tuple[Source, int], RejectReason] = {}
        for letter in dead:
            place = letter.source, letter.offset
            if place not in reasons or reasons[place] in UNCOUNTED:
                reasons[place] = letter.reason
        found: dict[Source, Outcomes] = {}
        for record in records:
            place = record.source, record.offset
            reason = None if place in used else reasons.get(place)
            if reason not in UNCOUNTED:
                found.setdefault(record.source, []).append((record.offset, reason))
        for source, outcomes in found.items():
            if source in stopped:
                self._judge_after_a_stop(source, outcomes)
            self._judge(source, outcomes)

    def _pass(self, records: Iterable[SourceRecord]) -> None:
        """Counts records that are all usable, which is nearly always, and so must cost next to nothing."""
        number = attrgetter("source.partition")
        sources = {record.source.partition: record.source for record in records}
        for partition, n in Counter(map(number, records)).items():
            seen = self._seen.setdefault(sources[partition], _Seen())
            seen.run = 0
            seen.last.extend([False] * n)

    def _judge_after_a_stop(self, source: Source, outcomes: Outcomes) -> None:
        unusable = sum(reason is not None for _, reason in outcomes)
        if 2 * unusable >= len(outcomes):
            raise self._error(source, f"still {unusable} of {len(outcomes)} records", outcomes)

    def _judge(self, source: Source, outcomes: Outcomes) -> None:
        seen = self._seen.setdefault(source, _Seen())
        for place, (_, reason) in enumerate(outcomes, 1):
            seen.run = seen.run + 1 if reason else 0
            seen.last.append(reason is not None)
            if reason is None:
                continue
            if self._limits.in_a_row and seen.run >= self._limits.in_a_row:
                raise self._error(source, f"{seen.run} records in a row", outcomes[:place])
            if len(seen.last) == WINDOW and sum(seen.last) > self._limits.share * WINDOW:
                raise self._error(source, f"{sum(seen.last)} of the last {WINDOW} records", outcomes[:place])

    def _error(self, source: Source, what: str, outcomes: Outcomes) -> CapError:
        often = Counter(reason.value for _, reason in outcomes if reason).most_common(3)
        words = ", ".join(f"{n} {reason}" for reason, n in often)
        return CapError(
            f"{what} of {source.topic} cannot be used (partition {source.partition} up to offset {outcomes[-1][0]}; in this "
            f"micro-batch: {words}). That looks like a wrong format or version, so the worker stops before they become dead "
            f"letters: it has committed none of this micro-batch, and a restart begins with it. {self._advice}. If they are to become "
            "dead letters, set [worker] unusable_in_a_row = 0 and unusable_share = 1 until they are passed",
            source=source,
        )
