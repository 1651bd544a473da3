"""`valuedrift collect` on a real Kafka: what was answered 200 is there."""

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError

import pytest

from stream.config import KafkaSettings
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from tests.integration.processes import PATIENCE, end, start, valuedrift
from tests.unit.test_formats_litellm import PAYLOAD

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested is that this needs a token


@contextmanager
def collecting(environment: dict[str, str], *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = start("collect", "--port", "0", *options, environment=environment)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://\S+", said)
        assert address, said + process.stdout.read()
        yield address[0], process
    finally:
        end(process)


def post(address: str, body: object, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(  # noqa: S310 - the address is that of the process which this test started
        address, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    try:
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=30)  # noqa: S310
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
    with answer:
        return answer.status, json.loads(answer.read())


@pytest.fixture
def topics(kafka: KafkaSettings) -> KafkaSettings:
    create_missing(kafka)
    return kafka


def test_what_was_answered_is_in_kafka_and_the_collector_ends_in_order(
    topics: KafkaSettings, environment: dict[str, str]
) -> None:
    with collecting(environment) as (address, process):
        for number in range(3):
            body = [PAYLOAD | {"id": f"{number}-{each}"} for each in range(10)]
            assert post(address, body) == (200, {"accepted": 10, "unreadable": 0})
            records = list(read_topic(topics, topics.topics.input))
            assert len(records) == 10 * (number + 1)
        assert {record.key for record in records} == {b"gpt-4o"}
        assert len({json.loads(record.value or b"")["id"] for record in records}) == 30
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_record_above_the_topics_limit_is_told(topics: KafkaSettings, environment: dict[str, str]) -> None:
    large = PAYLOAD | {"response": "x" * 5_000_000}
    with collecting(environment) as (address, _):
        status, answer = post(address, [PAYLOAD, large])
        assert (status, "larger" in answer["error"]) == (413, True)
        assert post(address, PAYLOAD)[0] == 200


def test_a_token_from_the_environment_is_demanded(topics: KafkaSettings, environment: dict[str, str]) -> None:
    with collecting(environment | {"COLLECT_TOKEN": "s3cret"}, "--host", EVERYWHERE) as (address, _):
        local = address.replace(EVERYWHERE, "127.0.0.1")
        assert post(local, PAYLOAD)[0] == 401
        assert post(local, PAYLOAD, Authorization="Bearer s3cret")[0] == 200


def test_without_a_token_others_may_not_post(environment: dict[str, str]) -> None:
    done = valuedrift("collect", "--host", EVERYWHERE, environment=environment)
    assert done.returncode == 1
    assert b"set a token" in done.stderr


def test_a_missing_topic_is_named(environment: dict[str, str]) -> None:
    done = valuedrift("collect", "--port", "0", environment=environment)
    assert done.returncode == 1
    assert b"valuedrift topics create" in done.stderr
