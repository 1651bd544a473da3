"""One real Kafka for the whole session; each test uses topics of its own on it."""

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.config import KafkaSettings, Topics
from stream.kafka.broker import LocalBroker
from stream.kafka.client import open_admin
from tests.integration.receivers import Tools, serving

MakeTopic = Callable[[int], str]
"""Creates an empty topic with so many partitions and returns its name."""


@pytest.fixture(scope="session")
def broker() -> Iterator[LocalBroker]:
    with LocalBroker() as running:
        yield running


@pytest.fixture
def kafka(broker: LocalBroker) -> KafkaSettings:
    """Settings of the session's broker, with topic names that no other test has; the topics do not exist yet."""
    prefix = uuid.uuid4().hex[:8]
    names = {field: f"{prefix}.{field}" for field in Topics.model_fields}
    return KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topics=Topics(**names), partitions=4)


@pytest.fixture
def make_topic(kafka: KafkaSettings) -> MakeTopic:
    def make(partitions: int) -> str:
        name = f"test.{uuid.uuid4().hex[:8]}"
        configs = {"retention.ms": "-1"}  # tests write records with old timestamps, which Kafka would soon delete
        with open_admin(kafka) as admin:
            admin.create_topics(
                {name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}},
                wait_for_metadata=True,
            )
        return name

    return make


@pytest.fixture
def environment(kafka: KafkaSettings) -> dict[str, str]:
    """What a `valuedrift` subprocess needs to use the same topics on the same broker."""
    topics = {f"VALUEDRIFT_KAFKA__TOPICS__{role.upper()}": name for role, name in kafka.topics}
    return (
        os.environ
        | topics
        | {
            "VALUEDRIFT_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "VALUEDRIFT_KAFKA__PARTITIONS": str(kafka.partitions),
        }
    )


@pytest.fixture(autouse=True)
def no_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests must not find a valuedrift.toml in the folder they are started from."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tools() -> Iterator[Tools]:
    with serving() as running:
        yield running


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number
