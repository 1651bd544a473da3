"""The log stays readable while a library repeats itself."""

import logging

from stream.logs import Sparse


def record(name: str, message: str, *values: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, message, values, None)


def test_a_library_says_the_same_once_whatever_is_filled_in() -> None:
    sparse = Sparse()
    passed = [sparse.filter(record("aiokafka.conn", "node %s is away", node)) for node in range(5)]
    assert passed == [True, False, False, False, False]


def test_another_message_and_another_library_still_pass() -> None:
    sparse = Sparse()
    assert sparse.filter(record("aiokafka.conn", "away"))
    assert sparse.filter(record("aiokafka.conn", "back"))
    assert sparse.filter(record("faust.app", "away"))


def test_our_own_lines_always_pass() -> None:
    sparse = Sparse()
    assert all(sparse.filter(record("stream.worker.detect", "an alert", level=logging.INFO)) for _ in range(3))


def test_tracebacks_are_left_out() -> None:
    kept = record("faust.app", "crashed")
    kept.exc_info = (ValueError, ValueError("a response"), None)
    assert Sparse().filter(kept)
    assert kept.exc_info is None
