"""A record of any format → response events and rejects; never an exception, whatever the bytes.

The format is recognised by the record itself, so that one topic may carry several.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stream import naming
from stream.core.records import Reject, RejectReason, ResponseEvent, SourceRecord
from stream.formats import canonical, openai_chat
from stream.formats.fields import Fallback, Unusable, parse_object
from stream.formats.missing_time import MissingTime

MAX_BYTES = 1_000_000
"""Bytes of a record that are read: Kafka's own default limit, and far above any chat that a tokenizer will see."""


@dataclass(frozen=True, slots=True)
class Format:
    """One log format: how it is recognised, and how it is read. `decode` may raise `Unusable`."""

    recognises: Callable[[dict[str, object]], bool]
    decode: Callable[[dict[str, object], Fallback], tuple[ResponseEvent | Reject, ...]]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        canonical.NAME: Format(canonical.recognises, canonical.decode),
        openai_chat.NAME: Format(openai_chat.recognises, openai_chat.decode),
    }
)
"""By the name that `--format` takes, in the order in which they are tried."""


def decode(
    record: SourceRecord, *, missing_time: MissingTime, form: str | None = None
) -> tuple[ResponseEvent | Reject, ...]:
    """Returns the events that the record holds, at least one event or reject; never raises on any bytes.

    An event without an id gets the first 16 hex digits of the SHA-256 of the record's bytes. `form` names the
    format and skips recognition.

    Raises:
        ValueError: `form` is not in `FORMATS`.
    """
    if form is not None and form not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {form!r}")
    try:
        return _decode(record, missing_time, form)
    except Unusable as unusable:
        return (unusable.reject,)


def _decode(record: SourceRecord, policy: MissingTime, forced: str | None) -> tuple[ResponseEvent | Reject, ...]:
    if record.value is None:
        raise Unusable(RejectReason.EMPTY_RECORD, "the record has no value (a tombstone)")
    if len(record.value) > MAX_BYTES:
        raise Unusable(RejectReason.TOO_LARGE, f"{len(record.value)} bytes, above the limit of {MAX_BYTES}")
    fields = parse_object(record.value)
    fallback = Fallback(naming.content_id(record.value), policy.of(record))
    if forced is not None:
        return FORMATS[forced].decode(fields, fallback)
    for known in FORMATS.values():
        if known.recognises(fields):
            return known.decode(fields, fallback)
    raise Unusable(RejectReason.UNKNOWN_FORMAT, f"no known format; known are {', '.join(FORMATS)}")
