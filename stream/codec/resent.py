"""The mark that a dead letter's original was sent again: `valuedrift.resent/1`, in the topic of the letters itself.

So the topic tells by itself what became of each letter, and a second resend is seen.
"""

from dataclasses import dataclass

import msgspec

from stream import times
from stream.codec import wire
from stream.core.records import Micros, Source
from stream.errors import RecordError

SCHEMA = "valuedrift.resent/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """The record at this place was sent again at `ts`."""

    source: Source
    offset: int
    ts: Micros


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    topic: str
    partition: int


class _Resent(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=SCHEMA):
    source: _Source
    offset: int
    ts: str


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Resent)


def encode_resent(mark: Resent) -> bytes:
    """Returns the mark as JSON: the same bytes for the same mark, on every machine."""
    source = _Source(mark.source.topic, mark.source.partition)
    return _ENCODER.encode(_Resent(source, mark.offset, times.render(mark.ts)))


def decode_resent(content: bytes) -> Resent:
    """Returns the mark that `encode_resent` wrote.

    Raises:
        UnknownSchemaError: the record is of another kind or version.
        RecordError: the record is damaged.
    """
    record = wire.decode(content, _DECODER, SCHEMA)
    try:
        ts = times.parse(record.ts)
    except ValueError as error:
        raise RecordError(f"a record of {SCHEMA} cannot be read: {error}") from None
    return Resent(source=Source(record.source.topic, record.source.partition), offset=record.offset, ts=ts)
