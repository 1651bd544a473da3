"""Labels as OpenTelemetry's evaluation events: valid OTLP, tied to the span or the response that was judged."""

import json
from typing import Any

import numpy as np
from google.protobuf.json_format import Parse
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from stream import times
from stream.codec.evaluation import encode_evaluations
from stream.config import KafkaSettings
from stream.core.records import RejectReason, Scored, Source
from stream.core.taxonomy import PAPER
from stream.kafka.topics import specs
from tests.unit.log_records import reject

SPAN = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
SCORED = Scored(
    monitor="gpt-4",
    classifier="t5@0123456789ab",
    source=Source("llm.responses", 0),
    offset=np.array([1, 2, 3]),
    event_id=("chatcmpl-1", SPAN, "chatcmpl-2#1"),
    ts=np.array([times.parse("2026-03-01T12:00:00.000001Z")] * 3),
    category=np.array([0, 3, 4], np.uint8),
    probs=np.full((3, 5), 0.2, np.float32),
    confidence=np.array([0.91234, 0.5, 1.0], np.float32),
    energy=np.zeros(3, np.float32),
    truncated=np.zeros(3, np.bool_),
    attributes={},
)


def records(scored: Scored) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each log record with its attributes by name."""
    batch = json.loads(encode_evaluations(scored, PAPER))
    found = batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    return [(each, {pair["key"]: next(iter(pair["value"].values())) for pair in each["attributes"]}) for each in found]


def test_each_label_is_an_event_with_its_confidence() -> None:
    found = records(SCORED)
    assert [said["gen_ai.evaluation.score.label"] for _, said in found] == [
        "helpful_aligned",
        "refusal_excessive",
        "off_topic",
    ]
    assert [said["gen_ai.evaluation.score.value"] for _, said in found] == [0.9123, 0.5, 1.0]
    assert {each["eventName"] for each, _ in found} == {"gen_ai.evaluation.result"}
    assert {said["gen_ai.evaluation.name"] for _, said in found} == {"valuedrift.behaviour"}
    assert found[0][0]["timeUnixNano"] == "1772366400000001000"


def test_it_belongs_to_the_span_or_to_the_response_that_was_judged() -> None:
    (_, first), (second, by_span), (_, third) = records(SCORED)
    assert first["gen_ai.response.id"] == "chatcmpl-1"
    assert f"{second['traceId']}-{second['spanId']}" == SPAN
    assert "gen_ai.response.id" not in by_span
    assert (third["gen_ai.response.id"], third["valuedrift.choice"]) == ("chatcmpl-2", "1")


def test_the_batch_is_what_opentelemetrys_own_types_read() -> None:
    content = encode_evaluations(SCORED, PAPER)
    for name in ("traceId", "spanId"):  # OTLP writes ids as hexadecimal, protobuf's JSON as base64
        content = content.replace(b'"%s":"' % name.encode(), b'"ignored_%s":"' % name.encode())
    batch = Parse(content, LogsData(), ignore_unknown_fields=True)
    assert [each.event_name for each in batch.resource_logs[0].scope_logs[0].log_records] == [
        "gen_ai.evaluation.result"
    ] * 3


def test_evaluations_that_come_back_as_input_are_skipped() -> None:
    assert reject(encode_evaluations(SCORED, PAPER)).reason is RejectReason.NOT_A_RESPONSE


def test_the_topic_is_made_only_if_it_is_named_and_is_kept_as_long_as_the_input() -> None:
    assert [spec.role for spec in specs(KafkaSettings())] == ["input", "scored", "drift", "alerts", "deadletter"]
    *_, last = specs(KafkaSettings(evaluation_topic="labels", input_retention_days=1))
    assert (last.role, last.name, last.retention_ms) == ("evaluation", "labels", 86_400_000)
