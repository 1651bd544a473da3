"""A Kafka that stops answering and comes back, seen through a wire that can be cut."""

import logging
from collections.abc import Iterator

import pytest

from stream.config import KafkaSettings
from stream.kafka import presence
from stream.kafka.presence import watched
from tests.chaos.proxy import Wire
from tests.integration.processes import eventually


@pytest.fixture
def wire(kafka: KafkaSettings) -> Iterator[Wire]:
    wire = Wire(int(kafka.bootstrap_servers.rpartition(":")[2]))
    yield wire
    wire.close()


def test_a_kafka_that_hangs_is_away_and_then_back(
    kafka: KafkaSettings, wire: Wire, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger=presence.__name__)
    monkeypatch.setattr(presence, "LOOK_SECONDS", 0.05)
    wired = kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{wire.port}"})
    with watched(wired, meanwhile="retrying") as seen:
        wire.hold()
        monkeypatch.setattr(presence, "ANSWER_SECONDS", 0.2)
        assert eventually(lambda: seen.away() is not None)
        monkeypatch.setattr(presence, "ANSWER_SECONDS", 30.0)
        wire.let_go()
        assert eventually(lambda: seen.away() is None)
    assert "retrying" in caplog.messages[0]
    assert "is back after" in caplog.messages[1]
