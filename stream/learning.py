"""Learns a reference from a scored log, apart from any worker, and refuses what is no level of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream.codec import control, wire
from stream.codec.entry import decode_entry
from stream.config import KafkaSettings
from stream.core.records import Micros, Scored
from stream.core.reference import Baseline, unrest
from stream.core.settings import FEWEST, Watch
from stream.core.streams import nested_streams, watched
from stream.core.taxonomy import Taxonomy
from stream.errors import InputError, RecordError
from stream.files import LogFiles
from stream.formats.labelled import PIECE_BYTES, decode_labelled_rows
from stream.kafka.read import read_topic
from stream.readers import Period
from stream.wording import percent

QUARTERS = 4


@dataclass(slots=True)
class _Seen:
    """What a log holds of one monitor."""

    categories: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    classifiers: dict[str, None] = field(default_factory=dict)
    start: Micros = 0
    end: Micros = 0

    def add(self, scored: Scored, inside: npt.NDArray[np.bool_]) -> None:
        times = scored.ts[inside]
        self.start = int(times.min()) if not self.categories else min(self.start, int(times.min()))
        self.end = max(self.end, int(times.max()))
        self.categories.append(scored.category[inside])
        self.classifiers[scored.classifier] = None


def rows_of(files: tuple[Path, ...], taxonomy: Taxonomy) -> Iterator[Scored]:
    """The responses of files of labelled rows; control records among them are passed over.

    Raises:
        InputError: a file cannot be read, or holds a line that is neither.
    """
    offset = 0
    for source, content in LogFiles(files).pieces(PIECE_BYTES):
        rows = decode_labelled_rows(content, taxonomy, source=source, first_offset=offset)
        offset += rows.n
        for _, line, reject in rows.rejects:
            if wire.schema_of(line) not in control.SCHEMAS:
                raise InputError(
                    f"{source.topic} holds a row that cannot be used ({reject.reason.value}: {reject.detail}); rows need ts, "
                    "category, and monitor or model, as in the scored.jsonl of `valuedrift replay`"
                )
        yield from rows.scored


def records_of(kafka: KafkaSettings, topic: str, taxonomy: Taxonomy) -> Iterator[Scored]:
    """The responses of a scored topic; other records in it are passed over.

    Raises:
        InputError: the topic does not exist, or holds a record that is no scored log's.
    """
    for record in read_topic(kafka, topic):
        try:
            entry = decode_entry(record, taxonomy)
        except RecordError as error:
            raise InputError(f"{topic}, partition {record.source.partition}, offset {record.offset}: {error}") from None
        if isinstance(entry, Scored):
            yield entry


def learn(log: Iterable[Scored], taxonomy: Taxonomy, *, monitor: str | None, period: Period, watch: Watch) -> Baseline:
    """The reference that the log's responses of `monitor` make; without a name the log must be of a single one.

    Raises:
        InputError: the monitor is not in the log, there are several and none is named, it has too few responses, or they are not at rest;
            the message says which, and what to do.
    """
    found: dict[str, _Seen] = {}
    for scored in log:
        inside = period.holds(scored.ts)
        if inside.any():
            found.setdefault(scored.monitor, _Seen()).add(scored, inside)
    name = _choose(found, monitor)
    seen = found[name]
    categories = np.concatenate(seen.categories)
    if len(categories) < FEWEST:
        raise InputError(f"{name} has {len(categories)} responses in the log; a reference needs {FEWEST} or more")
    parts = np.array(
        [np.bincount(part, minlength=len(taxonomy)) for part in np.array_split(categories, QUARTERS)], np.int64
    )
    totals = np.cumsum(parts, axis=0)
    restless = unrest(totals[:-1], totals[-1], watched(nested_streams(taxonomy), watch))
    if restless is not None:
        raise InputError(
            f"the responses of {name} are not at rest: the share of {restless.stream} is {percent(restless.before)} in the first "
            f"{restless.cut:,} and {percent(restless.after)} in the other {len(categories) - restless.cut:,} (p = {restless.p:.1g}); "
            "choose a part of the log before or after the change with --since and --until"
        )
    return Baseline(
        monitor=name,
        classifiers=tuple(seen.classifiers),
        start=seen.start,
        end=seen.end,
        taxonomy=taxonomy,
        counts=tuple(totals[-1].tolist()),
    )


def _choose(found: dict[str, _Seen], monitor: str | None) -> str:
    if monitor is None and len(found) == 1:
        return next(iter(found))
    if monitor in found:
        return monitor
    names = ", ".join(sorted(found)[:10]) + (", …" if len(found) > 10 else "")
    if not found:
        raise InputError("the log holds no responses in that period")
    if monitor is None:
        raise InputError(f"the log is of {len(found)} monitors; choose one with --monitor: {names}")
    raise InputError(f"the log holds nothing of a monitor {monitor!r}; it has: {names}")
