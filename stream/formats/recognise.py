"""A record of any format → response events and rejects; never an exception, whatever the bytes.

The format is recognised by the record itself, so that one topic may carry several. Around any of them may stand a CloudEvent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stream import naming
from stream.core.records import Reject, RejectReason, ResponseEvent, SourceRecord
from stream.formats import (
    anthropic_messages,
    canonical,
    cloud_events,
    kong,
    langfuse,
    litellm,
    openai_batch,
    openai_chat,
    openai_responses,
    otlp,
    otlp_proto,
)
from stream.formats.fields import Fallback, Unusable, parse_object
from stream.formats.missing_time import Demanded, MissingTime

MAX_BYTES = 1_000_000
"""Bytes of a record that are read: Kafka's own default limit, and far above any chat that a tokenizer will see."""


@dataclass(frozen=True, slots=True)
class Format:
    """One log format: how it is recognised, how it is read, and what it looks like. `decode` may raise `Unusable`."""

    recognises: Callable[[dict[str, object]], bool]
    decode: Callable[[dict[str, object], Fallback], tuple[ResponseEvent | Reject, ...]]
    title: str
    example: str


def _never(_: dict[str, object]) -> bool:
    """A format that is read only if it is forced."""
    return False


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        module.NAME: Format(module.recognises, module.decode, module.TITLE, module.EXAMPLE)
        for module in (
            canonical,
            otlp,
            kong,
            litellm,
            langfuse,
            openai_batch,
            openai_responses,
            anthropic_messages,
            openai_chat,
        )
    }
    | {litellm.NAME_UNCACHED: Format(_never, litellm.decode_uncached, litellm.TITLE_UNCACHED, litellm.EXAMPLE)}
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
        fields, fallback = _open(record, missing_time)
        return FORMATS[form or _recognise(fields)].decode(fields, fallback)
    except Unusable as unusable:
        return (unusable.reject,)


def recognise(record: SourceRecord) -> str | None:
    """Returns the name of the record's format, None where it has none that is known."""
    try:
        return _recognise(_open(record, Demanded())[0])
    except Unusable:
        return None


def _recognise(fields: dict[str, object]) -> str:
    for name, known in FORMATS.items():
        if known.recognises(fields):
            return name
    raise Unusable(RejectReason.UNKNOWN_FORMAT, f"no known format; known are {', '.join(FORMATS)}")


def _open(record: SourceRecord, policy: MissingTime) -> tuple[dict[str, object], Fallback]:
    """The fields of the record, out of a CloudEvent if it stands in one, and what its events get that they do not say."""
    if record.value is None:
        raise Unusable(RejectReason.EMPTY_RECORD, "the record has no value (a tombstone)")
    if len(record.value) > MAX_BYTES:
        raise Unusable(RejectReason.TOO_LARGE, f"{len(record.value)} bytes, above the limit of {MAX_BYTES}")
    wrapping = cloud_events.of_headers(record)
    fields = _fields(record.value)
    if wrapping is None and cloud_events.is_structured(fields):
        wrapping, inside = cloud_events.unwrap(fields)
        fields = _fields(inside) if isinstance(inside, bytes) else inside
    own = naming.content_id(record.value), policy.of(record)
    if wrapping is None:
        return fields, Fallback(*own)
    return fields, Fallback(wrapping.id or own[0], own[1] if wrapping.ts is None else wrapping.ts)


def _fields(value: bytes) -> dict[str, object]:
    """The fields of a JSON object, or of a protobuf batch of OpenTelemetry, which no JSON begins like."""
    if otlp_proto.may_be(value) and (batch := otlp_proto.fields_of(value)) is not None:
        return batch
    return parse_object(value)
