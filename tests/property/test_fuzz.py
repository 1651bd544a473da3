"""The short form of `make fuzz`, what it has found, and lines that are too large for any memory."""

import json
import time
import tracemalloc
from pathlib import Path

import pytest

from stream.collect import UNREADABLE, _items
from stream.core.records import Reject, RejectReason, ResponseEvent, Source, SourceRecord
from stream.files import LONGEST, LogFiles
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import Demanded, Spaced
from stream.formats.recognise import decode
from tests.fuzz.run import fuzz

MIB = 1024 * 1024


def record(value: bytes) -> SourceRecord:
    return SourceRecord(source=Source("t", 0), offset=0, key=None, value=value, headers=(), timestamp=0)


def test_hostile_records_give_events_or_reasons_and_nothing_else() -> None:
    report = fuzz(3_000)
    assert report.inputs >= 3_000
    assert report.results["event"] > 0
    assert len(report.results) > 10  # of memory `make fuzz` speaks: here it is that of all tests in this process


def test_half_of_a_surrogate_pair_in_the_name_of_a_field_is_a_reason() -> None:
    value = json.dumps({"prompt": "p", "response": "r", "model": "m", "provider\ud800": "x"}).encode()
    (found,) = decode(record(value), missing_time=Spaced(every=1))
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.INVALID_UTF8


def test_a_mapped_field_that_holds_a_chat_without_answers_is_refused_not_a_crash() -> None:
    mapped = FieldMap.parse("prompt=q,response=a,model=:m").apply(b'{"q": "p", "a": {"choices": []}}')
    (found,) = decode(record(mapped), missing_time=Spaced(every=1))
    assert isinstance(found, Reject)


def test_a_post_that_is_nested_absurdly_is_no_json() -> None:
    with pytest.raises(UNREADABLE):
        _items(b"[" * 100_000, lines=False)


@pytest.mark.parametrize(
    "part",
    [b"[", b'{"a":', b"9", b"\x00", b"\xed\xa0\x80", b'"', b"\\ud800", b"\x0a\x80\x80\x80\x10"],
)
def test_a_record_of_fifty_megabytes_costs_neither_time_nor_memory(part: bytes) -> None:
    content = part * (50 * MIB // len(part))
    tracemalloc.start()
    began = time.process_time()
    (found,) = decode(record(content), missing_time=Demanded())
    took, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.TOO_LARGE
    assert took < 0.5
    assert peak < MIB


@pytest.mark.parametrize("part", [b"[", b'{"a":', b"[1,", b'["', b"9", b'{"a":{"b":['])
def test_the_largest_record_that_is_read_is_read_in_seconds(part: bytes) -> None:
    content = part * (1_000_000 // len(part))
    began = time.process_time()
    (found,) = decode(record(content), missing_time=Demanded())
    assert isinstance(found, Reject)
    assert time.process_time() - began < 2


def test_a_line_of_fifty_megabytes_in_a_file_is_cut_and_the_next_one_is_read(tmp_path: Path) -> None:
    good = json.dumps({"prompt": "p", "response": "r", "model": "m"}).encode()
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"x" * (50 * MIB) + b"\n" + good + b"\n")
    tracemalloc.start()
    huge, following = LogFiles([file])
    assert huge.value is not None
    assert len(huge.value) == LONGEST
    kinds = [decode(each, missing_time=Spaced(every=1))[0] for each in (huge, following)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(kinds[0], Reject)
    assert isinstance(kinds[1], ResponseEvent)
    assert following.offset == 1
    assert peak < 50 * MIB  # less than the line itself
