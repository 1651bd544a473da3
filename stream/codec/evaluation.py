"""Labels as OpenTelemetry tells of evaluations: events `gen_ai.evaluation.result` in an OTLP batch of logs, in JSON.

For whoever keeps traces of the chats: a Collector that reads the topic (Kafka receiver, encoding otlp_json) puts each label beside
its span.

Source: OpenTelemetry semantic conventions for generative AI, "Event: gen_ai.evaluation.result"; OTLP specification, "JSON Protobuf
Encoding".
"""

import re
from collections.abc import Iterator

import msgspec

from stream.core.records import Scored
from stream.core.taxonomy import Taxonomy

EVENT = "gen_ai.evaluation.result"
EVALUATION = "valuedrift.behaviour"
"""The name of the evaluation; its labels are the behaviours."""

_SPAN = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})")
_ENCODER = msgspec.json.Encoder()


def encode_evaluations(scored: Scored, taxonomy: Taxonomy) -> bytes:
    """Returns one log record a response, in source order: its behaviour as the label, the confidence as the score; no text.

    A response that was read from a span without a response id belongs to that span again; others are named by `gen_ai.response.id`. Of
    several answers to one request the place follows as `valuedrift.choice`.
    """
    return _ENCODER.encode(
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": [_text("service.name", "valuedrift")]},
                    "scopeLogs": [{"scope": {"name": "valuedrift"}, "logRecords": list(_records(scored, taxonomy))}],
                }
            ]
        }
    )


def _records(scored: Scored, taxonomy: Taxonomy) -> Iterator[dict[str, object]]:
    names = taxonomy.names
    confidence = None if scored.confidence is None else scored.confidence.round(4).tolist()
    for place, (event_id, ts, category) in enumerate(
        zip(scored.event_id, scored.ts.tolist(), scored.category.tolist(), strict=True)
    ):
        response, _, choice = event_id.partition("#")
        span = _SPAN.fullmatch(response)
        attributes = [
            _text("gen_ai.evaluation.name", EVALUATION),
            _text("gen_ai.evaluation.score.label", names[category]),
            _text("valuedrift.monitor", scored.monitor),
            _text("valuedrift.classifier", scored.classifier),
        ]
        if confidence is not None:
            value = round(confidence[place], 4)
            attributes.append({"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": value}})
        if choice:
            attributes.append(_text("valuedrift.choice", choice))
        if span is None:
            attributes.append(_text("gen_ai.response.id", response))
        placed = {} if span is None else {"traceId": span[1], "spanId": span[2]}
        yield {"timeUnixNano": str(ts * 1000), "eventName": EVENT, **placed, "attributes": attributes}


def _text(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}
