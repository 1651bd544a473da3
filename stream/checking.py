"""What a sample of somebody's log holds: its formats, how much of it can be used, and what would make more of it usable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stream.core.records import Reject, ResponseEvent, SourceRecord
from stream.formats import canonical
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import MissingTime
from stream.formats.recognise import decode, recognise


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a sample of `rows` records holds: `formats` and how many of each, the events of the `usable` rows, and why others give none.

    `skipped` hold nothing to judge and are as they should be; `refused` would become dead letters. `no_format` are of no known format.
    """

    rows: int
    usable: int
    formats: Counter[str]
    no_format: int
    events: tuple[ResponseEvent, ...]
    skipped: Counter[Reject]
    refused: Counter[Reject]


def examine(records: Sequence[SourceRecord], *, missing_time: MissingTime, form: str | None = None) -> Findings:
    """Returns what is in the records; nothing of them is classified."""
    formats: Counter[str] = Counter()
    skipped: Counter[Reject] = Counter()
    refused: Counter[Reject] = Counter()
    events: list[ResponseEvent] = []
    no_format = usable = 0
    for record in records:
        name = form or recognise(record)
        if name is None:
            no_format += 1
        else:
            formats[name] += 1
        found = decode(record, missing_time=missing_time, form=form)
        mine = [each for each in found if isinstance(each, ResponseEvent)]
        usable += bool(mine)
        events += mine
        for each in found:
            if isinstance(each, Reject):
                (skipped if each.reason.skipped else refused)[each] += 1
    return Findings(
        rows=len(records),
        usable=usable,
        formats=formats,
        no_format=no_format,
        events=tuple(events),
        skipped=skipped,
        refused=refused,
    )


def mapped(records: Sequence[SourceRecord], field_map: FieldMap) -> list[SourceRecord]:
    """Returns the records as `--map` makes them."""
    return [replace(record, value=field_map.apply(record.value or b"")) for record in records]


def is_flat(findings: Findings) -> bool:
    """Says whether the sample's rows are of no system's format, so that `--map` is what makes them usable."""
    return set(findings.formats) <= {canonical.NAME}
