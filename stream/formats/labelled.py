"""Rows that are labelled already, one JSON object a line: what `replay --scored` reads, at hundreds of thousands a second.

A row has `category`, `ts`, and `monitor` (a monitor's name as ValueDrift writes it) or `model`; `event_id`, `classifier` and
`confidence` where known (NaN in the column of a row without); other fields are left out. So labels from anywhere can be judged, and
`scored.jsonl` is read back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from stream import naming, times
from stream.core.records import Reject, RejectReason, Scored, Source
from stream.core.taxonomy import Taxonomy
from stream.formats.fields import LONGEST_NAME, Unusable, convert, parse_object, read_time, require_name
from stream.formats.missing_time import Spaced

SCHEMA = "valuedrift.scored.row/1"
PIECE_BYTES = 250_000
"""How much of a file is best given to `decode_labelled_rows` at once: with twice as much, what it becomes leaves the processor's cache."""

UNNAMED = "labelled"
"""The classifier of rows that do not name theirs."""


class _Row(msgspec.Struct, gc=False):
    category: str
    ts: str | None = None
    monitor: str | None = None
    model: str | None = None
    event_id: str | None = None
    classifier: str | None = None
    confidence: float | None = None
    schema: str | None = None


class _FullRow(_Row, gc=False):
    attributes: dict[str, str | int | float | bool | None] | None = None


_DECODER = msgspec.json.Decoder(_Row)
_FULL_DECODER = msgspec.json.Decoder(_FullRow)
"""Slower; only for those who ask for attributes."""
_Decoder = msgspec.json.Decoder[_Row] | msgspec.json.Decoder[_FullRow]


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """What a piece of a file holds: scored records (several of one monitor where its classifier changes) and rejects.

    `n` counts all rows; a reject comes with its row's offset and line.
    """

    scored: tuple[Scored, ...]
    rejects: tuple[tuple[int, bytes, Reject], ...]
    n: int


def decode_labelled_rows(
    content: bytes,
    taxonomy: Taxonomy,
    *,
    source: Source,
    first_offset: int = 0,
    spaced: Spaced | None = None,
    attributes: tuple[str, ...] = (),
) -> LabelledRows:
    """Returns the labelled responses of whole lines, grouped by monitor in order of appearance, each in file order.

    A row's offset is its place among the lines that are not blank, counted on from `first_offset`: the next piece begins at
    `first_offset + n`. A row without `event_id` gets the first 16 hex digits of the SHA-256 of its line, one without `ts` the
    time that `spaced` has for its offset. A line that cannot be used is a reject, and slows down this piece only. Of a row's attributes
    those named in `attributes` are kept, numbers and truth values as JSON writes them.
    """
    decoder = _FULL_DECODER if attributes else _DECODER
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        rows = decoder.decode_lines(content)
        if len(rows) == content.count(b"\n") + (not content.endswith(b"\n")):
            ids, texts = [row.event_id for row in rows], [row.ts for row in rows]
            if not (all(ids) and all(texts)):
                for offset, (row, line) in enumerate(zip(rows, content.split(b"\n"), strict=False), first_offset):
                    row.event_id = row.event_id or naming.content_id(line.strip())
                    row.ts = row.ts or _time(spaced, offset)
            offsets = np.arange(first_offset, first_offset + len(rows), dtype=np.int64)
            return LabelledRows(tuple(_scored(rows, offsets, taxonomy, source, attributes)), (), len(rows))
    except (*_UNREADABLE, Unusable):
        pass  # a row is unusable: find it, line by line
    rows, offsets, rejects, n = _decode_singly(content, taxonomy, first_offset, spaced, decoder)
    scored = _scored(rows, offsets, taxonomy, source, attributes) if rows else ()
    return LabelledRows(tuple(scored), tuple(rejects), n)


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _decode_singly(
    content: bytes, taxonomy: Taxonomy, first_offset: int, spaced: Spaced | None, decoder: _Decoder
) -> tuple[list[_Row], npt.NDArray[np.int64], list[tuple[int, bytes, Reject]], int]:
    """The rows that can be used with their offsets, the others, and how many there are."""
    lines = [line for line in map(bytes.strip, content.split(b"\n")) if line]
    rows: list[_Row] = []
    offsets: list[int] = []
    rejects: list[tuple[int, bytes, Reject]] = []
    for offset, line in enumerate(lines, first_offset):
        try:
            row = _read(line, taxonomy, decoder)
            row.ts = row.ts or _time(spaced, offset)
            rows.append(row)
            offsets.append(offset)
        except Unusable as unusable:
            rejects.append((offset, line, unusable.reject))
    return rows, np.array(offsets, np.int64), rejects, len(lines)


def _time(spaced: Spaced | None, offset: int) -> str:
    """The time of a row that names none.

    Raises:
        Unusable: there is none for it.
    """
    at = spaced.at(offset) if spaced else None
    if at is None:
        raise Unusable(RejectReason.NO_TIME, "ts is missing")
    return times.render(at)


def _read(line: bytes, taxonomy: Taxonomy, decoder: _Decoder) -> _Row:
    """One row, checked as `_scored` checks columns.

    Raises:
        Unusable: with the reason.
    """
    try:
        row = decoder.decode(line)
    except _UNREADABLE:
        convert(parse_object(line), decoder.type)  # says why
        raise Unusable(RejectReason.INVALID_JSON, "the row is no JSON that every reader accepts") from None
    if row.schema not in _SCHEMAS:
        raise Unusable(RejectReason.UNKNOWN_SCHEMA, f"schema must be {SCHEMA} or absent")
    _monitor(row.monitor, row.model)
    if row.ts:
        read_time(row.ts, "ts")
    if row.category not in taxonomy.names:
        raise Unusable(RejectReason.UNKNOWN_CATEGORY, f"category must be one of {', '.join(taxonomy.names)}")
    row.event_id = row.event_id or naming.content_id(line)
    if len(row.event_id) > LONGEST_NAME:
        raise Unusable(RejectReason.INVALID_NAME, f"event_id is longer than {LONGEST_NAME} characters")
    return row


_SCHEMAS = (None, SCHEMA)


def _monitor(monitor: str | None, model: str | None) -> str:
    """A name that ValueDrift wrote as it is, a model's as the live pipeline writes it."""
    if monitor:
        return require_name(monitor, "monitor")
    return naming.shorten(naming.escape(require_name(model, "monitor or model")))


def _scored(
    rows: Sequence[_Row],
    offset: npt.NDArray[np.int64],
    taxonomy: Taxonomy,
    source: Source,
    attributes: tuple[str, ...],
) -> Iterator[Scored]:
    """The rows as columns, at the speed of whole columns.

    Raises:
        Unusable: a row cannot be used; `_read` says which.
    """
    if {row.schema for row in rows} - set(_SCHEMAS):
        raise Unusable(RejectReason.UNKNOWN_SCHEMA, "schema")
    event_ids = [row.event_id or "" for row in rows]
    if max(map(len, event_ids)) > LONGEST_NAME:
        raise Unusable(RejectReason.INVALID_NAME, "event_id")
    try:
        ts = times.parse_column([row.ts or "" for row in rows])
    except ValueError as error:
        raise Unusable(RejectReason.INVALID_TIME, f"ts: {error}") from None
    category = _categories([row.category for row in rows], taxonomy)
    classifiers = [row.classifier or UNNAMED for row in rows]
    confidence = np.array([row.confidence for row in rows], np.float32)  # None becomes NaN
    several = len(set(classifiers)) > 1
    event_id = np.array(event_ids, object)
    columns = {name: np.array([_attribute(row, name) for row in rows], object) for name in attributes}
    for monitor, places in _groups(_monitors(rows)):
        for part in _runs(places, classifiers) if several else (places,):
            yield Scored(
                monitor=monitor,
                classifier=classifiers[part[0]],
                source=source,
                offset=offset[part],
                event_id=tuple(event_id[part].tolist()),
                ts=ts[part],
                category=category[part],
                confidence=confidence[part],
                attributes={name: tuple(column[part].tolist()) for name, column in columns.items()},
            )


def _attribute(row: _Row, name: str) -> str | None:
    value = (row.attributes or {}).get(name) if isinstance(row, _FullRow) else None
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _categories(names: list[str], taxonomy: Taxonomy) -> npt.NDArray[np.uint8]:
    places = {name: place for place, name in enumerate(taxonomy.names)}
    try:
        return np.frombuffer(bytes([places[name] for name in names]), np.uint8)
    except KeyError:
        raise Unusable(RejectReason.UNKNOWN_CATEGORY, "category") from None


def _monitors(rows: Sequence[_Row]) -> list[str]:
    names = [row.monitor or "" for row in rows]
    for name in set(names) - {""}:
        require_name(name, "monitor")
    if "" not in names:
        return names
    named = {model: _monitor(None, model) for model in {row.model for row in rows if not row.monitor}}
    return [row.monitor or named[row.model] for row in rows]


def _groups(names: list[str]) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Each distinct name in order of appearance, with its places in order."""
    distinct = {name: number for number, name in enumerate(dict.fromkeys(names))}
    if len(distinct) == 1:
        yield names[0], np.arange(len(names))
        return
    numbers = np.fromiter(map(distinct.__getitem__, names), np.int64, len(names))
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(distinct) + 1)).tolist()
    for name, (start, end) in zip(distinct, pairwise(bounds), strict=True):
        yield name, order[start:end]


def _runs(places: npt.NDArray[np.int64], classifiers: list[str]) -> list[npt.NDArray[np.int64]]:
    """The places cut where the classifier changes, because one record names one."""
    names = [classifiers[place] for place in places]
    return np.split(places, [at for at in range(1, len(names)) if names[at] != names[at - 1]])
