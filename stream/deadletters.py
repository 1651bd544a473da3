"""What the topic of dead letters holds, place by place, and which letters may be sent again after a repair."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from stream.codec import resent
from stream.codec.dead_letter import decode_dead_letter
from stream.codec.resent import Resent, decode_resent
from stream.codec.wire import schema_of
from stream.core.records import DeadLetter, Micros, RejectReason, ResponseEvent, Source, SourceRecord
from stream.errors import RecordError
from stream.formats import recognise
from stream.formats.missing_time import RecordTime

HEADER = "valuedrift-resent"
"""Header of a record that was sent again: the place it was read at before, `topic/partition/offset`."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a record was read when it became a dead letter; written `topic/partition/offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str, *, topic: str) -> "Place":
        """The place that a text names; `partition/offset` is one of `topic`.

        Raises:
            ValueError: it names none.
        """
        *before, partition, offset = text.split("/") if text.count("/") in (1, 2) else ("", "", "")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise ValueError(f"a letter is named PARTITION/OFFSET or TOPIC/PARTITION/OFFSET, got {text!r}")
        return cls(before[0] if before else topic, int(partition), int(offset))


@dataclass(slots=True)
class Entry:
    """All that the topic says of one place: why its record could not be used, when the record came, and when it was sent again."""

    reasons: dict[tuple[RejectReason, str], None] = field(default_factory=dict)
    ts: Micros | None = None
    resent: list[Micros] = field(default_factory=list)


@dataclass(slots=True)
class Contents:
    """The topic's contents by place, and how many of its records are of another kind or version."""

    entries: dict[Place, Entry] = field(default_factory=dict)
    unreadable: int = 0


def contents(records: Iterable[SourceRecord]) -> Contents:
    """Sums up the topic; a letter that was delivered twice counts once."""
    found = Contents()
    for record in records:
        try:
            said = read(record)
        except RecordError:
            found.unreadable += 1
            continue
        entry = found.entries.setdefault(place_of(said), Entry())
        if isinstance(said, Resent):
            entry.resent.append(said.ts)
        else:
            entry.reasons[said.reason, said.detail] = None
            entry.ts = said.ts
    return found


def letters(records: Iterable[SourceRecord]) -> Iterator[DeadLetter]:
    """The letters that can be read, each once."""
    seen = set()
    for record in records:
        try:
            said = read(record)
        except RecordError:
            continue
        if isinstance(said, DeadLetter) and (key := (place_of(said), said.reason, said.detail)) not in seen:
            seen.add(key)
            yield said


def read(record: SourceRecord) -> DeadLetter | Resent:
    """What a record of the topic says.

    Raises:
        RecordError: it cannot be read.
    """
    value = record.value or b""
    return decode_resent(value) if schema_of(value) == resent.SCHEMA else decode_dead_letter(value)


def place_of(said: DeadLetter | Resent) -> Place:
    """The place that a letter or a mark is about."""
    return Place(said.source.topic, said.source.partition, said.offset)


class Verdict(StrEnum):
    """Whether a letter's original is sent again, and if not, why."""

    SENT = "sent"
    SENT_BEFORE = "sent before; --again sends it once more"
    NO_VALUE = "the letter holds no original"
    NOT_INPUT = "no record of the input topic: judge the scored topic again instead (docs/operate.md)"
    STILL_UNUSABLE = "still cannot be used"
    SEVERAL = "holds several responses, of which some may have been counted; --whole sends it all the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resending:
    """What may be sent again: to the input topic `topic`, read as `form` says; `again` and `whole` allow what is refused otherwise."""

    topic: str
    form: str | None = None
    again: bool = False
    whole: bool = False

    def judge(self, letter: DeadLetter, entry: Entry) -> Verdict:
        """Whether the letter's original is sent: it must be usable now, and must not be counted twice."""
        if letter.source.topic != self.topic:
            return Verdict.NOT_INPUT
        if letter.value is None:
            return Verdict.NO_VALUE
        if entry.resent and not self.again:
            return Verdict.SENT_BEFORE
        found = recognise.decode(original(letter), missing_time=RecordTime(), form=self.form)
        if not any(isinstance(each, ResponseEvent) for each in found):
            return Verdict.STILL_UNUSABLE
        return Verdict.SEVERAL if len(found) > 1 and not self.whole else Verdict.SENT


def original(letter: DeadLetter) -> SourceRecord:
    """The record that became the letter, as it is sent again: with a header that says where it was read before."""
    headers = tuple((name, value) for name, value in letter.headers if name != HEADER)
    return SourceRecord(
        source=Source(letter.source.topic, letter.source.partition),
        offset=letter.offset,
        key=letter.key,
        value=letter.value,
        headers=(*headers, (HEADER, str(place_of(letter)).encode())),
        timestamp=letter.ts or 0,
    )
