"""Log records for tests of the formats: a JSON value as a record, and what is read from it."""

import json

from stream import times
from stream.core.records import Reject, ResponseEvent, Source, SourceRecord
from stream.formats.missing_time import Demanded, MissingTime
from stream.formats.recognise import decode

ARRIVED = times.parse("2026-03-01T12:00:00Z")
"""Kafka's own time of every record here."""

Headers = tuple[tuple[str, bytes], ...]


def record(value: object, *, headers: Headers = ()) -> SourceRecord:
    """A record that holds the value as JSON, or these bytes."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return SourceRecord(
        source=Source("llm.responses", 0), offset=7, key=None, value=content, headers=headers, timestamp=ARRIVED
    )


def found(
    value: object, *, headers: Headers = (), policy: MissingTime | None = None, form: str | None = None
) -> tuple[ResponseEvent | Reject, ...]:
    """All that is read from the record."""
    return decode(record(value, headers=headers), missing_time=policy or Demanded(), form=form)


def event(value: object, *, headers: Headers = (), policy: MissingTime | None = None) -> ResponseEvent:
    """The one event of the record."""
    (only,) = found(value, headers=headers, policy=policy)
    assert isinstance(only, ResponseEvent), only
    return only


def reject(value: object, *, headers: Headers = (), form: str | None = None) -> Reject:
    """The one reason for which the record cannot be used."""
    (only,) = found(value, headers=headers, form=form)
    assert isinstance(only, Reject), only
    return only
