"""Control records on the wire: `valuedrift.control/1`, in the scored topic and its files beside responses, keyed by monitor."""

from typing import Literal

import msgspec

from stream import times
from stream.codec import wire
from stream.core.control import Accept, Learn
from stream.core.records import Source
from stream.errors import RecordError

SCHEMA = "valuedrift.control/1"


class _Control(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=SCHEMA):
    control_id: str
    monitor: str
    ts: str
    action: Literal["accept"]
    learn: Learn


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Control)


def encode_control(control: Accept) -> bytes:
    """Returns the record as JSON: the same bytes for the same record, on every machine. Its place in the log is no part of it."""
    return _ENCODER.encode(
        _Control(control.control_id, control.monitor, times.render(control.ts), "accept", control.learn)
    )


def decode_control(content: bytes, *, source: Source, offset: int) -> Accept:
    """Returns the record that `encode_control` wrote, as it lies at this place of the log.

    Raises:
        UnknownSchemaError: the record is of another kind or version.
        RecordError: the record is damaged.
    """
    record = wire.decode(content, _DECODER, SCHEMA)
    try:
        ts = times.parse(record.ts)
    except ValueError as error:
        raise RecordError(f"a record of {SCHEMA} cannot be read: {error}") from None
    return Accept(
        control_id=record.control_id,
        monitor=record.monitor,
        ts=ts,
        learn=record.learn,
        source=source,
        offset=offset,
    )
