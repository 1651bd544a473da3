"""The four ways into a replay: files or a topic, of responses that are still to be classified or of labels that are known."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain, groupby, islice
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from stream.codec.control import SCHEMAS, decode_order
from stream.codec.wire import schema_of
from stream.core.records import DeadLetter, Micros, RejectReason, Scored, Source, SourceRecord
from stream.errors import InputError, RecordError
from stream.files import NO_TIME, LogFiles
from stream.formats.labelled import PIECE_BYTES, LabelledRows, decode_labelled_rows
from stream.formats.missing_time import Spaced
from stream.pipeline import Batch, Classify, Detect, dead_letter, unreadable
from stream.recorder import Placed, Recorder
from stream.times import EARLIEST

BATCH = 256
"""Records that are classified together; with more, the progress would jerk."""

Watch = Callable[[], None]
"""Called whenever a part of the input is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The part of a file that is wanted, by the time of its responses: from `since` (included) to `until` (excluded).

    Raises:
        ValueError: the period is empty.
    """

    since: Micros | None = None
    until: Micros | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since must be earlier than until")

    def holds(self, ts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each instant lies in the period."""
        inside = np.ones(len(ts), np.bool_)
        if self.since is not None:
            inside &= ts >= self.since
        if self.until is not None:
            inside &= ts < self.until
        return inside


def read_rows(
    files: LogFiles, recorder: Recorder, *, period: Period, every: Micros | None, keep_values: bool, watch: Watch
) -> None:
    """Judges files of labelled rows; nothing is classified. `every` is that of `read_responses`, counted in rows.

    Orders among the rows (control records, ticks) are obeyed where they stand, if their own time lies in the period.

    Raises:
        InputError: a file cannot be read, or a row has no time and `every` is not given.
    """
    rows_before = 0
    growth = _Growth()
    for source, pieces in groupby(files.pieces(PIECE_BYTES), key=lambda piece: piece[0]):
        offset = 0
        spaced = None if every is None else Spaced(every, EARLIEST + every * rows_before)
        for content in _apart(growth.join(pieces)):
            if schema_of(content) in SCHEMAS:
                recorder.take((), _obey(_line(source, offset, content), recorder, period, keep_values=keep_values))
                offset += 1
                continue
            rows = decode_labelled_rows(
                content,
                recorder.settings.taxonomy,
                source=source,
                first_offset=offset,
                spaced=spaced,
                attributes=recorder.settings.contrast,
            )
            offset += rows.n
            growth.note(rows)
            letters = [
                dead_letter(_line(source, at, line), reject, keep_value=keep_values)
                for at, line, reject in rows.rejects
            ]
            _demand_times(letters)
            placed = (Placed(scored, scored.offset) for scored in rows.scored)
            wanted = [piece.only(period.holds(piece.scored.ts)) for piece in placed]
            recorder.take([piece for piece in wanted if len(piece.places)], letters)
            watch()
        rows_before += offset


def _apart(contents: Iterable[bytes]) -> Iterator[bytes]:
    """The same lines, each order by itself."""
    marks = [schema.encode() for schema in SCHEMAS]
    for content in contents:
        if not any(mark in content for mark in marks):
            yield content
            continue
        for is_order, some in groupby(BytesIO(content), lambda line: schema_of(line) in SCHEMAS):
            lines = list(some)
            yield from lines if is_order else (b"".join(lines),)


def _obey(line: SourceRecord, recorder: Recorder, period: Period, *, keep_values: bool) -> list[DeadLetter]:
    """Does what an order says, if its time is in the period; one that cannot be read is a dead letter."""
    try:
        order = decode_order(line.value or b"", source=line.source, offset=line.offset)
    except RecordError as error:
        return [dead_letter(line, unreadable(error), keep_value=keep_values)]
    if period.holds(np.array([order.ts])).all():
        recorder.obey(order)
    return []


def _line(source: Source, offset: int, line: bytes) -> SourceRecord:
    return SourceRecord(source=source, offset=offset, key=None, value=line.strip(), headers=(), timestamp=NO_TIME)


class _Growth:
    """Puts pieces together while they hold so few rows of one monitor that the cost of each record outweighs that of its rows."""

    FEW = 64
    LARGEST = 16_000_000

    def __init__(self) -> None:
        self._size = PIECE_BYTES

    def join(self, pieces: Iterable[tuple[Source, bytes]]) -> Iterator[bytes]:
        """The same lines, in as large parts as is best by now."""
        held: list[bytes] = []
        size = 0
        for _, content in pieces:
            held.append(content)
            size += len(content)
            if size >= self._size:
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)

    def note(self, rows: LabelledRows) -> None:
        """Learn from what a part held."""
        if rows.n < self.FEW * len(rows.scored):
            self._size = min(2 * self._size, self.LARGEST)


def read_responses(
    files: LogFiles, recorder: Recorder, *, classify: Classify, period: Period, every: Micros | None, watch: Watch
) -> None:
    """Classifies and judges files of responses.

    A response without a time gets one if `every` (microseconds) is given: 2000-01-01T00:00:00Z for the first line of all files,
    and `every` later for each further line.

    Raises:
        InputError: a file cannot be read, or a response has no time and `every` is not given.
    """
    lines_before = 0
    for _, records in groupby(files, key=attrgetter("source")):
        stage = classify
        if every is not None:
            stage = replace(classify, missing_time=Spaced(every, EARLIEST + every * lines_before))
        last = 0
        for some in _batches(records):
            batch = stage.read(some)
            _demand_times(batch.dead)
            wanted = period.holds(np.array([event.ts for _, event in batch.events], np.int64)).tolist()
            events = tuple(pair for pair, inside in zip(batch.events, wanted, strict=True) if inside)
            _classified(Batch(events, batch.dead), stage, recorder)
            last = some[-1].offset
            watch()
        lines_before += last + 1


def read_response_topic(
    records: Iterable[SourceRecord], recorder: Recorder, *, classify: Classify, watch: Watch
) -> None:
    """Classifies and judges records of a topic of responses, in the order given."""
    for some in _batches(records):
        _classified(classify.read(some), classify, recorder)
        watch()


def read_scored_topic(records: Iterable[SourceRecord], recorder: Recorder, *, watch: Watch) -> None:
    """Judges records of a scored topic, in the order given; nothing is classified.

    One that cannot be read becomes a dead letter, as it does in the worker.
    """
    detect = Detect(settings=recorder.settings)
    for some in _batches(records):
        for record in some:
            try:
                groups = detect.read([record])
            except RecordError as error:
                recorder.take((), [dead_letter(record, unreadable(error))])
            else:
                for entry in chain.from_iterable(groups.values()):
                    if isinstance(entry, Scored):
                        recorder.take([_in_order(entry)])
                    else:
                        recorder.obey(entry)
        watch()


def _classified(batch: Batch, classify: Classify, recorder: Recorder) -> None:
    scored = classify.write(batch, classify.judge(batch)) if batch.events else ()
    places = {(record.source, record.offset): place for place, (record, _) in enumerate(batch.events)}
    recorder.take(
        [
            Placed(one, np.array([places[one.source, offset] for offset in one.offset.tolist()], np.int64))
            for one in scored
        ],
        batch.dead,
    )


def _in_order(scored: Scored) -> Placed:
    return Placed(scored, np.arange(len(scored)))


def _batches(records: Iterable[SourceRecord]) -> Iterator[Sequence[SourceRecord]]:
    rest = iter(records)
    while some := list(islice(rest, BATCH)):
        yield some


def _demand_times(letters: Iterable[DeadLetter]) -> None:
    """A file whose responses have no time cannot be replayed by halves: the first one stops it."""
    for letter in letters:
        if letter.reason is RejectReason.NO_TIME:
            raise InputError(
                f"{letter.source.topic}, line {letter.offset + 1}: the response has no time; give each line one (ts), or "
                "space the lines evenly with --every 1s"
            )
