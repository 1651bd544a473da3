"""Scored records on the wire: `valuedrift.scored/1`, keyed by monitor: the log of record, labels and numbers without text.

Columns of equal length, one element a response, in source order. `category` is a name. `probs`, `confidence`, `energy` and
`truncated` are null, and `finish_reason` is empty, for responses that came already labelled.
"""

import msgspec
import numpy as np

from stream import times
from stream.codec import columns, wire
from stream.core.records import Scored, Source
from stream.core.taxonomy import Taxonomy
from stream.errors import RecordError

SCHEMA = "valuedrift.scored/1"


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    topic: str
    partition: int


class _Scored(msgspec.Struct, forbid_unknown_fields=True, tag_field="schema", tag=SCHEMA):
    monitor: str
    classifier: str
    source: _Source
    offset: list[int]
    event_id: tuple[str, ...]
    ts: list[str]
    category: list[str]
    probs: list[list[float]] | None
    confidence: list[float] | None
    energy: list[float] | None
    truncated: list[bool] | None
    finish_reason: tuple[str | None, ...]
    attributes: dict[str, columns.Dictionary]


class _Written(msgspec.Struct, tag_field="schema", tag=SCHEMA):
    """`_Scored` with those columns as JSON that numpy writes faster than any encoder of Python's numbers."""

    monitor: str
    classifier: str
    source: _Source
    offset: list[int]
    event_id: tuple[str, ...]
    ts: list[str]
    category: list[str]
    probs: msgspec.Raw | None
    confidence: msgspec.Raw | None
    energy: list[float] | None
    truncated: list[bool] | None
    finish_reason: tuple[str | None, ...]
    attributes: dict[str, columns.Dictionary]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Scored)


def encode_scored(scored: Scored, taxonomy: Taxonomy) -> bytes:
    """Returns the record as JSON: the same bytes for the same record, on every machine.

    Raises:
        ValueError: columns differ in length, or a number cannot be written.
    """
    names = taxonomy.names
    optional = {
        "probs": scored.probs,
        "confidence": scored.confidence,
        "energy": scored.energy,
        "truncated": scored.truncated,
        "finish_reason": scored.finish_reason or None,
    }
    columns.check_lengths(
        len(scored),
        {"offset": len(scored.offset), "ts": len(scored.ts), "category": len(scored.category)}
        | {name: None if column is None else len(column) for name, column in optional.items()}
        | {f"attribute {name}": len(column) for name, column in scored.attributes.items()},
    )
    return _ENCODER.encode(
        _Written(
            scored.monitor,
            scored.classifier,
            _Source(scored.source.topic, scored.source.partition),
            scored.offset.tolist(),
            scored.event_id,
            times.render_column(scored.ts),
            [names[category] for category in scored.category.tolist()],
            None if scored.probs is None else columns.write_shares(scored.probs),
            None if scored.confidence is None else columns.write_shares(scored.confidence),
            None if scored.energy is None else columns.write_numbers(scored.energy),
            None if scored.truncated is None else scored.truncated.tolist(),
            scored.finish_reason,
            {name: columns.write_dictionary(column) for name, column in scored.attributes.items()},
        )
    )


def decode_scored(content: bytes, taxonomy: Taxonomy) -> Scored:
    """Returns the record that `encode_scored` wrote.

    Raises:
        UnknownSchemaError: the record is of another kind or version (`schema` tells control records apart).
        RecordError: the record is damaged, or has a category that `taxonomy` lacks.
    """
    record = wire.decode(content, _DECODER, SCHEMA)
    try:
        return _columns(record, taxonomy)
    except (ValueError, OverflowError) as error:
        raise RecordError(f"a record of {SCHEMA} cannot be read: {error}") from None
    except KeyError as error:
        raise RecordError(
            f"a record of {SCHEMA} has the category {error}, which the classifier's labels lack "
            f"({', '.join(taxonomy.names)}); use the bundle that wrote it, or another topic"
        ) from None


def _columns(record: _Scored, taxonomy: Taxonomy) -> Scored:
    n = len(record.event_id)
    optional = {
        "probs": record.probs,
        "confidence": record.confidence,
        "energy": record.energy,
        "truncated": record.truncated,
        "finish_reason": record.finish_reason or None,
    }
    columns.check_lengths(
        n,
        {"offset": len(record.offset), "ts": len(record.ts), "category": len(record.category)}
        | {name: None if column is None else len(column) for name, column in optional.items()}
        | {f"attribute {name}": len(column.index) for name, column in record.attributes.items()},
    )
    places = {name: place for place, name in enumerate(taxonomy.names)}
    return Scored(
        monitor=record.monitor,
        classifier=record.classifier,
        source=Source(record.source.topic, record.source.partition),
        offset=np.array(record.offset, np.int64),
        event_id=record.event_id,
        ts=times.parse_column(record.ts),
        category=np.frombuffer(bytes([places[name] for name in record.category]), np.uint8),
        probs=None if record.probs is None else columns.read_matrix(record.probs, width=len(taxonomy)),
        confidence=None if record.confidence is None else np.array(record.confidence, np.float32),
        energy=None if record.energy is None else np.array(record.energy, np.float32),
        truncated=None if record.truncated is None else np.array(record.truncated, np.bool_),
        finish_reason=record.finish_reason,
        attributes={name: columns.read_dictionary(column) for name, column in record.attributes.items()},
    )
