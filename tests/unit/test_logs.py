"""The log stays readable while a library repeats itself."""

import json
import logging
import re
import sys

import pytest

from stream.logs import Sparse, formatter


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


def test_what_says_that_a_server_does_not_answer_is_left_to_ours() -> None:
    sparse = Sparse()
    assert not sparse.filter(
        record("aiokafka", "Unable connect to node with id %s: %s", 1, "closed", level=logging.ERROR)
    )
    assert not sparse.filter(record("kafka.net.manager", "Connection failed: %s", "refused", level=logging.ERROR))
    assert sparse.filter(record("aiokafka.cluster", "Topic %s is not authorized", "t", level=logging.ERROR))


def test_our_own_lines_always_pass() -> None:
    sparse = Sparse()
    assert all(sparse.filter(record("stream.worker.detect", "an alert", level=logging.INFO)) for _ in range(3))


def test_tracebacks_are_left_out() -> None:
    kept = record("faust.app", "crashed")
    kept.exc_info = (ValueError, ValueError("a response"), None)
    assert Sparse().filter(kept)
    assert kept.exc_info is None


@pytest.mark.parametrize("hostile", ["a\nb", '"}{', "\x1b[2J", "\u2028", "\ud800", "\x7f", "\x9b31m"])
def test_a_json_line_is_one_line_of_ascii_whatever_is_in_it(hostile: str) -> None:
    line = formatter("json").format(record("stream.x", "model %s", hostile))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == f"model {hostile}"


def test_a_json_line_has_time_level_and_logger() -> None:
    line = json.loads(formatter("json").format(record("stream.x", "said")))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {"level": "warning", "logger": "stream.x", "message": "said"}


def test_a_traceback_is_in_its_line() -> None:
    kept = record("stream.x", "failed")
    try:
        raise ValueError("why")  # noqa: TRY301 - to have a traceback
    except ValueError:
        kept.exc_info = sys.exc_info()
    line = formatter("json").format(kept)
    assert line.isprintable()
    assert "ValueError: why" in json.loads(line)["traceback"]
