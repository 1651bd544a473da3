"""What a classifier said of the responses that people are to label some of: from a scored topic, `scored.jsonl`, or `classify`'s output."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from stream import times
from stream.codec.scored import decode_scored
from stream.core.correction import Floats, Integers
from stream.core.records import SourceRecord
from stream.core.taxonomy import Taxonomy
from stream.errors import InputError, RecordError
from stream.files import LogFiles
from stream.readers import Period

_TOLERANCE = 0.01
"""By which a row's probabilities may miss 1: they are written to four decimals."""


class _Source(msgspec.Struct, gc=False):
    topic: str
    partition: int


class _Row(msgspec.Struct, gc=False):
    event_id: str
    category: str
    probs: list[float] | dict[str, float] | None = None
    monitor: str | None = None
    classifier: str | None = None
    ts: str | None = None
    source: _Source | None = None
    offset: int | None = None


_DECODER = msgspec.json.Decoder(_Row)


@dataclass(slots=True)
class Predictions:
    """Responses in the order of their log: ids, predicted categories (n,) and probabilities (n, k), each response once.

    Probabilities lie in `flat`, one response after the other. `monitors` and `classifiers` are the names that occur among them; what
    `classify` writes names neither.
    """

    event_id: list[str] = field(default_factory=list)
    categories: list[int] = field(default_factory=list)
    flat: "array[float]" = field(default_factory=lambda: array("d"))
    monitors: list[str] = field(default_factory=list)
    classifiers: set[str] = field(default_factory=set)

    @property
    def category(self) -> Integers:
        """Predicted categories, (n,)."""
        return np.array(self.categories, np.int64)

    @property
    def probs(self) -> Floats:
        """Probabilities, (n, k)."""
        return np.frombuffer(self.flat, np.float64).reshape(len(self.event_id), -1)

    def only(self, monitor: str | None) -> "Predictions":
        """Returns the responses of the monitor with this name; all of them if there is but one and none is named.

        Raises:
            InputError: there is no such monitor, there are several, or none has a response.
        """
        names = sorted(set(self.monitors))
        if not names:
            raise InputError(
                "there is no scored response to label; look at the file or topic, and at --since and --until"
            )
        if monitor is None and len(names) == 1:
            return self
        if monitor not in names:
            wrong = "has the responses of several monitors" if monitor is None else "has no monitor of that name"
            shown = ", ".join(ascii(name) for name in names[:10])
            raise InputError(
                f"the scored log {wrong}; choose with --monitor one of {shown}{', …' if names[10:] else ''}"
            )
        chosen = [place for place, name in enumerate(self.monitors) if name == monitor]
        return self.at(chosen)

    def at(self, places: list[int]) -> "Predictions":
        """Returns the responses at these places."""
        return Predictions(
            event_id=[self.event_id[place] for place in places],
            categories=[self.categories[place] for place in places],
            flat=array("d", self.probs[places].ravel().tolist()),
            monitors=[self.monitors[place] for place in places],
            classifiers=self.classifiers,
        )


def read_files(files: LogFiles, taxonomy: Taxonomy, period: Period) -> Predictions:
    """Reads rows of `scored.jsonl`, or what `classify` writes.

    Raises:
        InputError: a file cannot be read, or a line is no such row; the line is named, never quoted.
    """
    found = Predictions()
    seen: set[int] = set()
    places = {name: place for place, name in enumerate(taxonomy.names)}
    for record in files:
        try:
            row = _DECODER.decode(record.value or b"")
            probs = _checked(row, places)
            inside = period.since is period.until is None or bool(period.holds(times.parse_column([row.ts or ""]))[0])
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise InputError(f"{record.source.topic}, line {record.offset + 1}: {error}; {_WANTED}") from None
        if row.source is not None and row.offset is not None:
            key = hash((row.source.topic, row.source.partition, row.offset, row.event_id))
            inside &= key not in seen
            seen.add(key)
        if inside:
            found.event_id.append(row.event_id)
            found.categories.append(places[row.category])
            found.flat.extend(probs)
            found.monitors.append(row.monitor or "")
            found.classifiers.add(row.classifier or "")
    return found


_WANTED = "rows must be those of scored.jsonl with probabilities, or what `valuedrift classify` writes"


def read_topic(records: Iterable[SourceRecord], taxonomy: Taxonomy) -> Predictions:
    """Reads records of a scored topic.

    Raises:
        InputError: a record cannot be read, or its responses have no probabilities.
    """
    found = Predictions()
    seen: set[int] = set()
    for record in records:
        where = f"{record.source.topic}, partition {record.source.partition}, offset {record.offset}"
        try:
            scored = decode_scored(record.value or b"", taxonomy)
        except RecordError as error:
            raise InputError(f"{where}: {error}") from None
        if scored.probs is None:
            raise InputError(
                f"{where}: the responses have no probabilities, because no classifier of ours labelled them"
            )
        rows = zip(
            scored.offset.tolist(), scored.event_id, scored.category.tolist(), scored.probs.tolist(), strict=True
        )
        for offset, event_id, category, probs in rows:
            key = hash((scored.source.topic, scored.source.partition, offset, event_id))
            if key in seen:
                continue
            seen.add(key)
            found.event_id.append(event_id)
            found.categories.append(category)
            found.flat.extend(probs)
            found.monitors.append(scored.monitor)
            found.classifiers.add(scored.classifier)
    return found


def _checked(row: _Row, places: dict[str, int]) -> list[float]:
    """The row's probabilities in category order.

    Raises:
        ValueError: it has none, or they or its category are not of this taxonomy.
    """
    if row.category not in places:
        raise ValueError(f"category must be one of {', '.join(places)}")
    if row.probs is None:
        raise ValueError("the row has no probs")
    if isinstance(row.probs, dict):
        if row.probs.keys() != places.keys():
            raise ValueError(f"probs must name {', '.join(places)}")
        probs = [row.probs[name] for name in places]
    else:
        probs = row.probs
    if len(probs) != len(places) or min(probs) < 0 or abs(sum(probs) - 1) > _TOLERANCE:
        raise ValueError(f"probs must be {len(places)} numbers that sum to 1, none negative")
    return probs
