"""Dead letters on the wire: `valuedrift.deadletter/1`.

The original key, value and header values are base64, because what could not be read need not be UTF-8; `encoding` says so.
`value` is null where the original had none, where keeping texts is switched off, or where it would not fit into a record.
"""

import msgspec

from stream import times
from stream.codec import wire
from stream.core.records import DeadLetter, RejectReason, Source
from stream.errors import RecordError

SCHEMA = "valuedrift.deadletter/1"


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    topic: str
    partition: int


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    value: bytes


class _DeadLetter(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=SCHEMA):
    source: _Source
    offset: int
    reason: RejectReason
    detail: str
    ts: str | None
    encoding: str
    key: bytes | None
    headers: tuple[_Header, ...]
    value: bytes | None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_DeadLetter)


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """Returns the dead letter as JSON: the same bytes for the same letter, on every machine."""
    return _ENCODER.encode(
        _DeadLetter(
            _Source(letter.source.topic, letter.source.partition),
            letter.offset,
            letter.reason,
            letter.detail,
            None if letter.ts is None else times.render(letter.ts),
            "base64",
            letter.key,
            tuple(_Header(name, value) for name, value in letter.headers),
            letter.value,
        )
    )


def decode_dead_letter(content: bytes) -> DeadLetter:
    """Returns the dead letter that `encode_dead_letter` wrote.

    Raises:
        UnknownSchemaError: the record is of another kind or version.
        RecordError: the record is damaged.
    """
    record = wire.decode(content, _DECODER, SCHEMA)
    if record.encoding != "base64":
        raise RecordError(f"a record of {SCHEMA} cannot be read: its encoding must be base64")
    try:
        ts = None if record.ts is None else times.parse(record.ts)
    except ValueError as error:
        raise RecordError(f"a record of {SCHEMA} cannot be read: {error}") from None
    return DeadLetter(
        source=Source(record.source.topic, record.source.partition),
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple((header.name, header.value) for header in record.headers),
        reason=record.reason,
        detail=record.detail,
        ts=ts,
    )
