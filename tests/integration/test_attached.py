"""Other systems' records through a real Kafka and a real worker, and the labels back to OpenTelemetry."""

import json
from typing import Any

import pytest

from stream.config import KafkaSettings
from stream.kafka.client import open_admin
from tests.integration.workers import (
    await_records,
    await_scored,
    read_json,
    running,
    send,
    worker_variables,
)
from tests.unit.otlp_batches import SPAN, TRACE, protobuf, span, traces
from tests.unit.test_formats_anthropic import MESSAGE, REQUEST
from tests.unit.test_formats_litellm import PAYLOAD
from tests.unit.test_formats_otlp import CURRENT


@pytest.fixture
def variables(environment: dict[str, str], kafka: KafkaSettings) -> dict[str, str]:
    return worker_variables(environment, kafka)


def spoken(label: str, **more: Any) -> dict[str, Any]:
    """The attributes of a span whose answer begins with its label."""
    answered = [{"role": "assistant", "parts": [{"type": "text", "content": f"{label} text"}]}]
    return CURRENT | {"gen_ai.output.messages": answered} | more


def scored(kafka: KafkaSettings) -> dict[str, str]:
    """The behaviour of each response in the scored topic."""
    records = read_json(kafka, kafka.topics.scored)
    return {name: label for each in records for name, label in zip(each["event_id"], each["category"], strict=True)}


def evaluations(kafka: KafkaSettings, topic: str) -> dict[str, str]:
    """The label of each span or response id in the topic."""
    found = {}
    for batch in read_json(kafka, topic):
        for record in batch["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
            said = {pair["key"]: pair["value"].get("stringValue") for pair in record["attributes"]}
            found[said.get("gen_ai.response.id") or record["spanId"]] = said["gen_ai.evaluation.score.label"]
    return found


def test_records_of_several_systems_in_one_topic_are_judged_and_their_labels_come_back(
    variables: dict[str, str], kafka: KafkaSettings
) -> None:
    topic = f"{kafka.topics.input}.evaluations"
    with open_admin(kafka) as admin:
        admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    bare = {name: value for name, value in spoken("off_topic").items() if name != "gen_ai.response.id"}
    batch = protobuf(traces(span(bare), span({"http.request.method": "GET"})))
    litellm = PAYLOAD | {"response": "refusal_excessive text"}
    anthropic = {
        "request": REQUEST,
        "response": MESSAGE | {"content": [{"type": "text", "text": "helpful_aligned text"}]},
    }
    failed = PAYLOAD | {"status": "failure"}
    wrapped = {"specversion": "1.0", "id": "ce-1", "source": "/s", "type": "t"} | {
        "data": {"prompt": "p", "response": "helpful_misaligned text", "model": "m"}
    }
    values = [batch, *(json.dumps(each).encode() for each in (litellm, anthropic, failed, wrapped))]
    send(kafka, [(None, value) for value in values])
    with running(variables | {"VALUEDRIFT_KAFKA__EVALUATION_TOPIC": topic}) as worker:
        worker.ready()
        await_scored(kafka, 4)
        await_records(kafka, kafka.topics.deadletter, 1)
        code, errors = worker.stop()
    assert code == 0, errors
    labels = {
        f"{TRACE}-{SPAN}": "off_topic",
        PAYLOAD["id"]: "refusal_excessive",
        MESSAGE["id"]: "helpful_aligned",
        "ce-1": "helpful_misaligned",
    }
    assert scored(kafka) == labels
    assert evaluations(kafka, topic) == {name.removeprefix(f"{TRACE}-"): label for name, label in labels.items()}
    (letter,) = read_json(kafka, kafka.topics.deadletter)
    assert (letter["reason"], letter["value"]) == ("failed_call", None)


def test_answers_from_a_cache_are_left_out_where_the_format_says_so(
    variables: dict[str, str], kafka: KafkaSettings
) -> None:
    fresh = PAYLOAD | {"response": "off_topic text"}
    cached = fresh | {"id": "cached", "cache_hit": True}
    send(kafka, [(None, json.dumps(each).encode()) for each in (cached, fresh)])
    with running(variables | {"VALUEDRIFT_WORKER__FORMAT": "litellm_uncached"}) as worker:
        worker.ready()
        await_scored(kafka, 1)
        await_records(kafka, kafka.topics.deadletter, 1)
        worker.stop()
    assert scored(kafka) == {PAYLOAD["id"]: "off_topic"}
    assert [letter["reason"] for letter in read_json(kafka, kafka.topics.deadletter)] == ["cache_hit"]
