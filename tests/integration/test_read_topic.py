"""Reading a topic to its present end, in one order."""

import socket
import time
from itertools import pairwise

import pytest
from kafka import TopicPartition

from stream.config import KafkaSettings
from stream.core.records import Source
from stream.errors import BrokerError, InputError
from stream.kafka import read
from stream.kafka.client import open_admin, open_producer
from stream.kafka.read import read_topic
from tests.integration.conftest import MakeTopic

BASE = 1_767_225_600_000
"""2026-01-01T00:00:00Z in milliseconds."""


def send(kafka: KafkaSettings, topic: str, records: list[tuple[int, bytes, int]], *, size: int = 0) -> None:
    """Sends (partition, value, milliseconds after BASE) in this order."""
    with open_producer(kafka, max_request_size=2**20) as producer:
        for partition, value, at in records:
            producer.send(
                topic, value.ljust(size), partition=partition, timestamp_ms=BASE + at, key=b"k", headers=[("h", b"v")]
            )


def test_partitions_are_merged_by_time_and_each_keeps_its_order(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    topic = make_topic(3)
    send(kafka, topic, [(2, b"c", 20), (0, b"a", 10), (0, b"d", 30), (1, b"b", 10), (1, b"late", 5), (2, b"e", 40)])
    records = list(read_topic(kafka, topic))
    assert [record.value for record in records] == [b"a", b"b", b"late", b"c", b"d", b"e"]
    assert records[0].source == Source(topic, 0)
    assert (records[0].key, records[0].headers) == (b"k", (("h", b"v"),))
    assert records[0].timestamp == (BASE + 10) * 1000
    assert list(read_topic(kafka, topic)) == records


def test_since_is_included_and_until_is_not(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    topic = make_topic(2)
    send(kafka, topic, [(at % 2, b"%d" % at, at) for at in range(10)])

    def values(since: int | None, until: int | None) -> list[int]:
        return [int(record.value or b"") for record in read_topic(kafka, topic, since=since, until=until)]

    micros = BASE * 1000
    assert values(micros + 3_000, None) == [3, 4, 5, 6, 7, 8, 9]
    assert values(None, micros + 3_000) == [0, 1, 2]
    assert values(micros + 3_001, micros + 6_001) == [4, 5, 6]
    assert values(micros + 99_000, None) == []
    assert values(micros + 5_000, micros + 5_000) == []


def test_a_large_skew_between_partitions_is_read_completely(
    kafka: KafkaSettings, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "ENOUGH_BYTES", 400_000)
    monkeypatch.setattr(read, "FEW_BYTES", 50_000)
    topic = make_topic(3)
    # All of partition 2 is older than all of partition 1, which is older than all of partition 0.
    send(
        kafka,
        topic,
        [(number % 3, b"%d" % number, number - 10_000 * (number % 3)) for number in range(3000)],
        size=1000,
    )
    records = list(read_topic(kafka, topic))
    assert [record.source.partition for record in records] == [2] * 1000 + [1] * 1000 + [0] * 1000
    assert all(a.offset + 1 == b.offset for a, b in pairwise(records) if a.source == b.source)


def test_reading_ends_though_others_go_on_writing(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    topic = make_topic(1)
    send(kafka, topic, [(0, b"%d" % number, number) for number in range(5)])
    records = read_topic(kafka, topic)
    first = next(records)
    send(kafka, topic, [(0, b"more", 9)])
    assert [first.value, *(record.value for record in records)] == [b"0", b"1", b"2", b"3", b"4"]


def test_records_that_were_deleted_are_passed_over(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    topic = make_topic(1)
    send(kafka, topic, [(0, b"%d" % number, number) for number in range(5)])
    with open_admin(kafka) as admin:
        admin.delete_records({TopicPartition(topic, 0): 3})
    assert [record.value for record in read_topic(kafka, topic)] == [b"3", b"4"]


def test_an_empty_topic_has_no_records(kafka: KafkaSettings, make_topic: MakeTopic) -> None:
    assert list(read_topic(kafka, make_topic(2))) == []


def test_a_topic_that_does_not_exist_is_named(kafka: KafkaSettings) -> None:
    with pytest.raises(InputError, match=kafka.topics.input):
        next(read_topic(kafka, kafka.topics.input))


def test_a_server_that_never_answers_is_given_up_within_ten_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(BrokerError, match=address):
            next(read_topic(KafkaSettings(bootstrap_servers=address), "any"))
    assert time.monotonic() - began < 10
