"""OTLP's protobuf encoding → the same fields as its JSON encoding, so that one reader serves both."""

from collections.abc import Iterable

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

_TAG = 0x0A
"""The first byte of every batch that is not empty: field 1, length-delimited. In JSON it is a line feed."""


def may_be(content: bytes) -> bool:
    """Says whether the bytes could be a batch: it begins as one, at the cost of one comparison."""
    return content[:1] == bytes([_TAG])


def fields_of(content: bytes) -> dict[str, object] | None:
    """Returns the fields of a batch of spans or of log records as OTLP's JSON has them; None where the bytes are neither.

    Both begin alike on the wire: what parses into spans with ids of the right length is spans. Attributes that are bytes are None.
    """
    return _traces(content) or _logs(content)


def _traces(content: bytes) -> dict[str, object] | None:
    try:
        traces = TracesData.FromString(content)
    except DecodeError:
        return None
    spans = [span for batch in traces.resource_spans for scope in batch.scope_spans for span in scope.spans]
    if not spans or not all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans):
        return None
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(batch.resource.attributes)},
                "scopeSpans": [{"spans": list(map(_span, scope.spans))} for scope in batch.scope_spans],
            }
            for batch in traces.resource_spans
        ]
    }


def _logs(content: bytes) -> dict[str, object] | None:
    try:
        logs = LogsData.FromString(content)
    except DecodeError:
        return None
    records = [record for batch in logs.resource_logs for scope in batch.scope_logs for record in scope.log_records]
    if not records or not all(record.time_unix_nano or record.observed_time_unix_nano for record in records):
        return None
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(batch.resource.attributes)},
                "scopeLogs": [{"logRecords": list(map(_log_record, scope.log_records))} for scope in batch.scope_logs],
            }
            for batch in logs.resource_logs
        ]
    }


def _span(span: Span) -> dict[str, object]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "startTimeUnixNano": span.start_time_unix_nano,
        "endTimeUnixNano": span.end_time_unix_nano,
        "status": {"code": int(span.status.code)},
        "attributes": _attributes(span.attributes),
        "events": [
            {
                "name": event.name,
                "timeUnixNano": event.time_unix_nano,
                "attributes": _attributes(event.attributes),
            }
            for event in span.events
        ],
    }


def _log_record(record: LogRecord) -> dict[str, object]:
    return {
        "traceId": record.trace_id.hex(),
        "spanId": record.span_id.hex(),
        "eventName": record.event_name,
        "timeUnixNano": record.time_unix_nano,
        "observedTimeUnixNano": record.observed_time_unix_nano,
        "body": _value(record.body),
        "attributes": _attributes(record.attributes),
    }


def _attributes(pairs: Iterable[KeyValue]) -> list[object]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def _value(value: AnyValue) -> dict[str, object]:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return {"arrayValue": {"values": list(map(_value, value.array_value.values))}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _attributes(value.kvlist_value.values)}}
    name = _SCALARS.get(kind or "")
    return {name: getattr(value, kind or "")} if name else {}


_SCALARS = {
    "string_value": "stringValue",
    "bool_value": "boolValue",
    "int_value": "intValue",
    "double_value": "doubleValue",
}
