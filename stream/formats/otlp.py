"""OpenTelemetry traces and logs in OTLP, as the Collector's Kafka exporter writes them (JSON or protobuf): one record, many events.

What a span or a log record says is read by `genai`; here are only the frames around it. Spans that are no calls of a model are passed over;
a batch without any is skipped as a whole (`not_a_response`). Rejects of one batch that say the same are one.

Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding"; opentelemetry-proto, trace.proto and logs.proto.
"""

import re
from collections.abc import Iterator

from stream.core.records import Micros, Reject, RejectReason, ResponseEvent
from stream.formats import genai
from stream.formats.fields import Fallback, Unusable
from stream.formats.genai_signal import Signal
from stream.formats.loose_times import read_loose_time

NAME = "otlp"
TITLE = "OpenTelemetry GenAI spans and log events in OTLP batches (otlp_json and otlp_proto), also OpenLLMetry and OpenInference"
EXAMPLE = """\
{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "support-bot"}}]},
 "scopeSpans": [{"spans": [{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "chat gpt-4",
  "endTimeUnixNano": "1741569952000000000", "attributes": [
   {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
   {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4"}},
   {"key": "gen_ai.input.messages", "value": {"stringValue":
    "[{\\"role\\": \\"user\\", \\"parts\\": [{\\"type\\": \\"text\\", \\"content\\": \\"Tell me a joke\\"}]}]"}},
   {"key": "gen_ai.output.messages", "value": {"stringValue":
    "[{\\"role\\": \\"assistant\\", \\"parts\\": [{\\"type\\": \\"text\\", \\"content\\": \\"Knock!\\"}]}]"}}
 ]}]}]}]}"""

_INTEGER = re.compile(r"-?\d{1,20}", re.ASCII)
_FAILED = (2, "STATUS_CODE_ERROR")


def recognises(fields: dict[str, object]) -> bool:
    """Says whether the object is a batch of spans or of log records."""
    return "resourceSpans" in fields or "resourceLogs" in fields


def decode(fields: dict[str, object], fallback: Fallback) -> tuple[ResponseEvent | Reject, ...]:
    """Returns the events of all calls of a model in the batch, and why others cannot be used.

    Raises:
        Unusable: nothing of the record can be used; with the reason.
    """
    found = genai.events(list(_signals(fields)), fallback)
    if not found:
        raise Unusable(RejectReason.NOT_A_RESPONSE, "no span or log record of the batch is a call of a chat model")
    rejects = dict.fromkeys(each for each in found if isinstance(each, Reject))
    return (*(each for each in found if isinstance(each, ResponseEvent)), *rejects)


def _signals(fields: dict[str, object]) -> Iterator[Signal]:
    for name, scopes, items in (("resourceSpans", "scopeSpans", "spans"), ("resourceLogs", "scopeLogs", "logRecords")):
        for batch in _objects(fields.get(name), name):
            resource = batch.get("resource")
            shared = _attributes(resource.get("attributes")) if isinstance(resource, dict) else {}
            for scope in _objects(batch.get(scopes), scopes):
                for item in _objects(scope.get(items), items):
                    yield _signal(item, shared)


def _objects(value: object, name: str) -> list[dict[str, object]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unusable(RejectReason.WRONG_TYPE, f"{name}: expected an array of objects")
    return value


def _signal(item: dict[str, object], resource: dict[str, object]) -> Signal:
    status = item.get("status")
    attributes = _attributes(item.get("attributes"))
    return Signal(
        name=_text(item.get("eventName")) or _text(attributes.get("event.name")) or _text(item.get("name")),
        span=f"{_text(item.get('traceId'))}-{_text(item.get('spanId'))}",
        at=_time(item),
        attributes=attributes,
        resource=resource,
        body=_value(item.get("body")),
        failed=isinstance(status, dict) and status.get("code") in _FAILED,
        events=tuple(_signal(event, resource) for event in _objects(item.get("events"), "events")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time(item: dict[str, object]) -> Micros | None:
    """When it ended, or happened, or was seen; the first that is given and not zero."""
    for name in ("endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano", "startTimeUnixNano"):
        value = item.get(name)
        if isinstance(value, (str, int)) and value not in (0, "0", ""):
            return read_loose_time(value, name)
    return None


def _attributes(value: object) -> dict[str, object]:
    return {_text(pair.get("key")): _value(pair.get("value")) for pair in _objects(value, "attributes")}


def _value(value: object) -> object:
    """What an AnyValue holds: a scalar, a list or an object; None for bytes and for what is no AnyValue."""
    if not isinstance(value, dict):
        return None
    for name in ("stringValue", "boolValue", "doubleValue"):
        if name in value:
            return value[name]
    if "intValue" in value:  # OTLP's JSON writes 64-bit integers as texts
        number = value["intValue"]
        return int(number) if isinstance(number, str) and _INTEGER.fullmatch(number) else number
    if isinstance(inside := value.get("arrayValue"), dict):
        return [_value(item) for item in _objects(inside.get("values"), "arrayValue.values")]
    if isinstance(inside := value.get("kvlistValue"), dict):
        return _attributes(inside.get("values"))
    return None
