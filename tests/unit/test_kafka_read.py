"""Which partitions a topic has, as kafka-python tells it."""

from typing import Any, cast

import pytest
from kafka import KafkaConsumer, TopicPartition

from stream.errors import InputError
from stream.kafka.read import partitions_of


class Consumer:
    """Answers as told, the last answer for ever."""

    def __init__(self, *answers: set[int]) -> None:
        self.answers = list(answers)

    def partitions_for_topic(self, topic: str) -> set[int]:
        assert topic == "chats"
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def consumer(*answers: set[int]) -> KafkaConsumer:
    return cast("Any", Consumer(*answers))


def test_an_answer_to_an_earlier_question_is_not_believed() -> None:
    found = partitions_of(consumer(set(), set(), {2, 0, 1}), "chats")
    assert found == [TopicPartition("chats", 0), TopicPartition("chats", 1), TopicPartition("chats", 2)]


def test_a_topic_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="Kafka has no topic chats; `valuedrift topics show`"):
        partitions_of(consumer(set()), "chats")
