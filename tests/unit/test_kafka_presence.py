"""One line when Kafka goes, one when it is back."""

import logging

import pytest

from stream.kafka.presence import Presence

LOGGER = "stream.kafka.presence"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger=LOGGER)
    return caplog


def looked(found: str) -> Presence:
    """Looks ten seconds apart, the first at 1,000 s: + with an answer, - without one."""
    presence = Presence("k:9092", meanwhile="retrying")
    for turn, answer in enumerate(found):
        presence.note(there=answer == "+", now=1000.0 + 10 * turn)
    return presence


def test_it_is_told_once_that_kafka_went_and_once_that_it_is_back(lines: pytest.LogCaptureFixture) -> None:
    assert looked("+----++").away() is None
    went, back = lines.messages
    assert went.startswith("Kafka at k:9092 is away since ")
    assert went.endswith("; retrying")
    assert back == "Kafka at k:9092 is back after 40 s"


def test_one_look_without_an_answer_is_no_news(lines: pytest.LogCaptureFixture) -> None:
    assert looked("+-+-+").away() is None
    assert lines.messages == []


def test_while_it_is_away_it_says_since_when() -> None:
    presence = looked("+--")
    assert str(presence.away()).startswith("Kafka at k:9092 is away since ")


def test_each_absence_is_told(lines: pytest.LogCaptureFixture) -> None:
    looked("--+--+")
    assert [message.split(" since")[0].split(" after")[0] for message in lines.messages] == [
        "Kafka at k:9092 is away",
        "Kafka at k:9092 is back",
    ] * 2
