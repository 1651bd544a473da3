"""What stands beside responses in the scored topic and its files, keyed by monitor: `valuedrift.control/1` and `valuedrift.tick/1`."""

from typing import Literal

import msgspec

from stream import times
from stream.codec import wire
from stream.core.control import Accept, Learn, Order, Tick
from stream.core.records import Source
from stream.errors import RecordError

CONTROL = "valuedrift.control/1"
TICK = "valuedrift.tick/1"
SCHEMAS = (CONTROL, TICK)


class _Control(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=CONTROL):
    control_id: str
    monitor: str
    ts: str
    action: Literal["accept"]
    learn: Learn


class _Tick(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=TICK):
    monitor: str
    ts: str


_ENCODER = msgspec.json.Encoder()
_CONTROL = msgspec.json.Decoder(_Control)
_TICK = msgspec.json.Decoder(_Tick)


def encode_order(order: Order) -> bytes:
    """Returns the record as JSON: the same bytes for the same record, on every machine. Its place in the log is no part of it."""
    at = times.render(order.ts)
    if isinstance(order, Tick):
        return _ENCODER.encode(_Tick(order.monitor, at))
    return _ENCODER.encode(_Control(order.control_id, order.monitor, at, "accept", order.learn))


def decode_order(content: bytes, *, source: Source, offset: int) -> Order:
    """Returns the record that `encode_order` wrote, as it lies at this place of the log.

    Raises:
        UnknownSchemaError: the record is of another kind or version.
        RecordError: the record is damaged.
    """
    schema = TICK if wire.schema_of(content) == TICK else CONTROL
    record = wire.decode(content, _TICK, TICK) if schema == TICK else wire.decode(content, _CONTROL, CONTROL)
    try:
        ts = times.parse(record.ts)
    except ValueError as error:
        raise RecordError(f"a record of {schema} cannot be read: {error}") from None
    if isinstance(record, _Tick):
        return Tick(monitor=record.monitor, ts=ts, source=source, offset=offset)
    return Accept(
        control_id=record.control_id,
        monitor=record.monitor,
        ts=ts,
        learn=record.learn,
        source=source,
        offset=offset,
    )
