"""OTLP batches for tests: attributes and bodies as plain Python values, in JSON's encoding and in protobuf's."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import Parse
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
AT = "1741569952000000000"

Attributes = Mapping[str, object]


def value(content: object) -> dict[str, Any]:
    """A Python value as an AnyValue."""
    if isinstance(content, list):
        return {"arrayValue": {"values": [value(item) for item in content]}}
    if isinstance(content, dict):
        return {"kvlistValue": {"values": pairs(content)}}
    if isinstance(content, int) and not isinstance(content, bool):
        return {"intValue": str(content)}
    names = {str: "stringValue", bool: "boolValue", float: "doubleValue"}
    return {names[type(content)]: content} if type(content) in names else {}


def pairs(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": name, "value": value(content)} for name, content in attributes.items()]


def span(attributes: Attributes, **more: Any) -> dict[str, Any]:
    start = {"traceId": TRACE, "spanId": SPAN, "name": "chat gpt-4", "kind": 3, "startTimeUnixNano": AT}
    return start | {"endTimeUnixNano": AT, "attributes": pairs(attributes), "status": {}} | more


def log(name: str, body: object = None, attributes: Attributes | None = None, **more: Any) -> dict[str, Any]:
    placed = {"traceId": TRACE, "spanId": SPAN, "timeUnixNano": AT, "eventName": name}
    return placed | {"body": value(body), "attributes": pairs(attributes or {})} | more


def traces(*spans: dict[str, Any], resource: Attributes | None = None) -> dict[str, Any]:
    scope = {"scope": {"name": "opentelemetry.instrumentation.openai_v2"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": pairs(resource or {})}, "scopeSpans": [scope]}]}


def logs(*records: dict[str, Any], resource: Attributes | None = None) -> dict[str, Any]:
    scope = {"scope": {"name": "opentelemetry.instrumentation.openai_v2"}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": pairs(resource or {})}, "scopeLogs": [scope]}]}


def protobuf(batch: dict[str, Any]) -> bytes:
    """The same batch as the Collector's `otlp_proto` encodes it; ids are base64 in protobuf's own JSON, hexadecimal in OTLP's."""

    def ids(item: Any) -> Any:
        if isinstance(item, list):
            return [ids(each) for each in item]
        if isinstance(item, dict):
            return {
                name: base64.b64encode(bytes.fromhex(each)).decode() if name in ("traceId", "spanId") else ids(each)
                for name, each in item.items()
            }
        return item

    message = TracesData() if "resourceSpans" in batch else LogsData()
    encoded: bytes = Parse(json.dumps(ids(batch)), message).SerializeToString()
    return encoded
