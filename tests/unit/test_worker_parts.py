"""Parts of the worker that need no Kafka: dead letters that fit, failures as sentences."""

import pytest
from aiokafka.errors import KafkaTimeoutError

from models.errors import BundleError
from stream.codec.dead_letter import decode_dead_letter
from stream.core.records import DeadLetter, RejectReason, Source
from stream.errors import StateError, WorkerError
from stream.metrics import Metrics
from stream.worker.failure import explain
from stream.worker.letters import OVERHEAD, DeadLetters


def letter(*, value: bytes | None, key: bytes | None = b"k") -> DeadLetter:
    return DeadLetter(
        source=Source("t", 1),
        offset=5,
        key=key,
        value=value,
        headers=(("h", b"1"),),
        reason=RejectReason.INVALID_JSON,
        detail="broken",
        ts=None,
    )


def fitted(dead: DeadLetter, *, limit: int) -> DeadLetter:
    (record,) = DeadLetters("dead", limit=limit, metrics=Metrics()).outgoing([dead])
    assert record.topic == "dead"
    assert len(record.value) + len(record.key or b"") <= limit - OVERHEAD
    return decode_dead_letter(record.value)


def test_a_letter_that_fits_is_sent_whole() -> None:
    assert fitted(letter(value=b"x" * 3000), limit=OVERHEAD + 4500) == letter(value=b"x" * 3000)


def test_a_letter_that_is_too_large_loses_its_value_and_says_so() -> None:
    sent = fitted(letter(value=b"x" * 4000), limit=OVERHEAD + 4500)
    assert (sent.value, sent.key, sent.headers) == (None, b"k", (("h", b"1"),))
    assert sent.detail == "broken; the value is left out of this letter"


def test_a_letter_whose_key_alone_is_too_large_keeps_its_position_and_reason() -> None:
    sent = fitted(letter(value=b"x", key=b"k" * 4000), limit=OVERHEAD + 4500)
    assert (sent.key, sent.value, sent.headers) == (None, None, ())
    assert (sent.source, sent.offset, sent.reason) == (Source("t", 1), 5, RejectReason.INVALID_JSON)


@pytest.mark.parametrize("error", [StateError("other settings"), BundleError("damaged")])
def test_our_own_errors_explain_themselves(error: Exception) -> None:
    assert explain("detect", error) is error


def test_an_error_of_kafka_is_told_with_its_message() -> None:
    told = explain("classify", KafkaTimeoutError("no answer"))
    assert isinstance(told, WorkerError)
    assert "the classify stage failed" in str(told)
    assert "no answer" in str(told)


def test_the_message_of_any_other_error_is_kept_to_debugging_because_it_might_quote_a_response() -> None:
    cause = RuntimeError("how to build a bomb")
    told = explain("classify", cause)
    assert "bomb" not in str(told)
    assert "RuntimeError" in str(told)
    assert told.__cause__ is cause
