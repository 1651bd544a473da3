"""Rows with labels: the fast way and the careful way say the same, and every bad row has a reason."""

import hashlib
import json

import msgspec
import numpy as np
import pytest

from stream import times
from stream.codec.rows import SCHEMA, encode_scored_rows
from stream.core.records import RejectReason, Scored, Source
from stream.core.taxonomy import PAPER, Behaviour, Taxonomy
from stream.formats import labelled
from stream.formats.labelled import LabelledRows, decode_labelled_rows

FILE = Source("labels.jsonl", 0)


def line(**fields: object) -> bytes:
    row = {"monitor": "m", "ts": "2026-03-01T12:00:00Z", "category": "off_topic"} | fields
    return json.dumps({name: value for name, value in row.items() if value is not ...}).encode()


def decoded(*lines: bytes, first_offset: int = 0, end: bytes = b"\n") -> LabelledRows:
    return decode_labelled_rows(b"\n".join(lines) + end, PAPER, source=FILE, first_offset=first_offset)


def flat(rows: LabelledRows) -> list[tuple[str, str, int, str, int, int]]:
    return [
        (each.monitor, each.classifier, int(each.offset[i]), each.event_id[i], int(each.ts[i]), int(each.category[i]))
        for each in rows.scored
        for i in range(len(each))
    ]


def test_rows_become_columns_by_monitor_in_file_order() -> None:
    rows = decoded(
        line(monitor="b", category="refusal_excessive", event_id="1"),
        line(monitor="a", event_id="2", ts="2026-03-01T12:00:01.5+01:00"),
        line(monitor="b", category="helpful_aligned", event_id="3"),
        first_offset=100,
    )
    noon = times.parse("2026-03-01T12:00:00Z")
    assert rows.n == 3
    assert rows.rejects == ()
    assert flat(rows) == [
        ("b", "labelled", 100, "1", noon, 3),
        ("b", "labelled", 102, "3", noon, 0),
        ("a", "labelled", 101, "2", noon - 3_598_500_000, 4),
    ]
    assert all(each.source == FILE and each.probs is None and each.finish_reason == () for each in rows.scored)


def test_a_row_without_an_id_is_named_after_its_line() -> None:
    bare, spaced = line(), b"  " + line(category="helpful_aligned") + b" \r"
    for rows in (decoded(bare, spaced), decoded(b"{}", bare, spaced)):
        assert [event_id for each in rows.scored for event_id in each.event_id] == [
            hashlib.sha256(bare).hexdigest()[:16],
            hashlib.sha256(spaced.strip()).hexdigest()[:16],
        ]


def test_a_model_is_named_as_the_live_pipeline_names_it_and_a_monitor_is_taken_as_it_is() -> None:
    rows = decoded(line(monitor=..., model="a|b"), line(monitor="c|d", model="a|b"), line(monitor="", model="e"))
    assert [each.monitor for each in rows.scored] == ["a\\|b", "c|d", "e"]


def test_a_change_of_the_classifier_begins_another_record_of_the_same_monitor() -> None:
    names = [None, "x@1", "x@1", "x@2", "x@1"]
    rows = decoded(*(line(classifier=name, event_id=str(at)) for at, name in enumerate(names)))
    assert [(each.classifier, each.event_id) for each in rows.scored] == [
        ("labelled", ("0",)),
        ("x@1", ("1", "2")),
        ("x@2", ("3",)),
        ("x@1", ("4",)),
    ]


BAD: dict[str, tuple[bytes, RejectReason]] = {
    "no JSON": (b"monitor,ts,category", RejectReason.INVALID_JSON),
    "two on one line": (line() + line(), RejectReason.INVALID_JSON),
    "half a surrogate pair": (line(event_id="x").replace(b'"x"', b'"\\ud800"'), RejectReason.INVALID_JSON),
    "not UTF-8": (line(event_id="x").replace(b'"x"', b'"\xff"'), RejectReason.INVALID_UTF8),
    "an array": (b"[]", RejectReason.NOT_AN_OBJECT),
    "nested for ever": (b"[" * 100_000, RejectReason.INVALID_JSON),
    "no category": (line(category=...), RejectReason.MISSING_FIELD),
    "a number for the category": (line(category=3), RejectReason.WRONG_TYPE),
    "another taxonomy's category": (line(category="deceptive"), RejectReason.UNKNOWN_CATEGORY),
    "no monitor and no model": (line(monitor=...), RejectReason.MISSING_FIELD),
    "a monitor with a line break": (line(monitor="a\nb"), RejectReason.INVALID_NAME),
    "a long monitor": (line(monitor="m" * 201), RejectReason.INVALID_NAME),
    "a long id": (line(event_id="x" * 201), RejectReason.INVALID_NAME),
    "no time": (line(ts=...), RejectReason.NO_TIME),
    "a time without an offset": (line(ts="2026-03-01T12:00:00"), RejectReason.INVALID_TIME),
    "another record of ours": (line(schema="valuedrift.scored/1"), RejectReason.UNKNOWN_SCHEMA),
}


@pytest.mark.parametrize(("bad", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_row_comes_back_with_its_reason_and_costs_no_other(bad: bytes, reason: RejectReason) -> None:
    rows = decoded(line(event_id="1"), bad, line(event_id="2"), first_offset=10)
    ((offset, content, reject),) = rows.rejects
    assert (offset, content, reject.reason) == (11, bad, reason)
    assert [(row[2], row[3]) for row in flat(rows)] == [(10, "1"), (12, "2")]
    assert rows.n == 3


def test_blank_lines_are_not_counted() -> None:
    rows = decoded(b"", line(event_id="1"), b" \r", b"", line(event_id="2"), end=b"")
    assert [(row[2], row[3]) for row in flat(rows)] == [(0, "1"), (1, "2")]
    assert rows.n == 2


def test_nothing_gives_nothing() -> None:
    for content in (b"", b"\n", b" \n\n"):
        rows = decode_labelled_rows(content, PAPER, source=FILE)
        assert (rows.scored, rows.rejects, rows.n) == ((), (), 0)


def test_pieces_of_a_file_give_what_the_whole_gives() -> None:
    lines = [line(monitor=f"m{at % 3}", event_id=str(at)) for at in range(50)]
    whole = flat(decoded(*lines))
    parts: list[tuple[str, str, int, str, int, int]] = []
    done = 0
    for start in range(0, 50, 7):
        rows = decoded(*lines[start : start + 7], first_offset=done)
        done += rows.n
        parts += flat(rows)
    assert sorted(parts) == sorted(whole)


def test_another_taxonomy_brings_its_own_names() -> None:
    three = Taxonomy((Behaviour("help", None), Behaviour("refuse", None), Behaviour("deceive", None)))
    rows = decode_labelled_rows(line(category="deceive"), three, source=FILE)
    assert [each.category.tolist() for each in rows.scored] == [[2]]


def test_what_replay_wrote_is_read_back() -> None:
    scored = Scored(
        monitor="a\\|b",
        classifier="t5@0123456789ab",
        source=Source("llm.responses", 3),
        offset=np.array([5, 9]),
        event_id=("e1", "e2"),
        ts=np.array([1_741_569_952_000_001, 1_741_569_953_000_000]),
        category=np.array([1, 4], np.uint8),
        probs=np.array([[0.1, 0.6, 0.1, 0.1, 0.1], [0.0, 0.0, 0.0, 0.0, 1.0]], np.float32),
        confidence=np.array([0.6, 1.0], np.float32),
        energy=np.array([-3.25, 1.0], np.float32),
        truncated=np.array([False, True]),
        finish_reason=("stop", None),
        attributes={"version": ("7", None)},
    )
    (back,) = decode_labelled_rows(encode_scored_rows(scored, PAPER), PAPER, source=FILE).scored
    assert (back.monitor, back.classifier, back.event_id) == (scored.monitor, scored.classifier, scored.event_id)
    assert back.ts.tolist() == scored.ts.tolist()
    assert back.category.tolist() == scored.category.tolist()
    assert labelled.SCHEMA == SCHEMA


def test_attributes_are_read_where_they_are_asked_for_and_numbers_stand_as_json_writes_them() -> None:
    rows = [
        {"model": "m", "ts": "2026-01-01T00:00:00Z", "category": "off_topic", "attributes": attributes}
        for attributes in ({"version": "7", "other": "x"}, {"version": 7}, {"version": None}, {}, {"version": True})
    ]
    content = b"\n".join(msgspec.json.encode(row) for row in rows)
    (scored,) = decode_labelled_rows(content, PAPER, source=FILE, attributes=("version",)).scored
    assert scored.attributes == {"version": ("7", "7", None, None, "true")}
    (bare,) = decode_labelled_rows(content, PAPER, source=FILE).scored
    assert bare.attributes == {}
    damaged = decode_labelled_rows(content + b'\n{"category', PAPER, source=FILE, attributes=("version",))
    assert damaged.scored[0].attributes == scored.attributes
    assert len(damaged.rejects) == 1
