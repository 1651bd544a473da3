"""Lines of `scored.jsonl` for responses of which only the label is known, whatever their names hold."""

import json
from dataclasses import replace

import numpy as np

from stream import times
from stream.codec.rows import encode_scored_rows, scored_row_lines
from stream.core.records import Scored, Source
from stream.core.taxonomy import PAPER
from stream.formats.labelled import decode_labelled_rows

IDS = ("plain", 'a","b', 'ends with "', "\\", '\\"', "line\u2028separator", "日本", "tab\t", ",", '"')


def labelled(ids: tuple[str, ...], monitor: str) -> Scored:
    n = len(ids)
    return Scored(
        monitor=monitor,
        classifier='0,"event_id":"","ts":"","category":""',
        source=Source("rows.jsonl", 0),
        offset=np.arange(n) + 7,
        event_id=ids,
        ts=times.parse("2026-01-01T00:00:00Z") + np.arange(n) * 1_000_001,
        category=(np.arange(n) % 5).astype(np.uint8),
        attributes={},
    )


def test_each_line_holds_its_own_response() -> None:
    for monitor in ("m", '"', "\u0085x"):
        rows = [json.loads(line) for line in scored_row_lines(labelled(IDS, monitor), PAPER)]
        assert [row["event_id"] for row in rows] == list(IDS)
        assert [row["offset"] for row in rows] == list(range(7, 7 + len(IDS)))
        assert [row["category"] for row in rows] == [PAPER.names[index % 5] for index in range(len(IDS))]
        assert [row["ts"] for row in rows][:2] == ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:01.000001Z"]
        assert {(row["monitor"], row["schema"], row["probs"]) for row in rows} == {
            (monitor, "valuedrift.scored.row/1", None)
        }


def test_labels_alone_are_written_as_the_same_line_as_with_everything_else_absent() -> None:
    scored = labelled(IDS, "m")
    n = len(IDS)
    general = Scored(
        monitor=scored.monitor,
        classifier=scored.classifier,
        source=scored.source,
        offset=scored.offset,
        event_id=scored.event_id,
        ts=scored.ts,
        category=scored.category,
        finish_reason=(None,) * n,
        attributes={},
    )
    assert scored_row_lines(general, PAPER) == scored_row_lines(scored, PAPER)


def test_one_line_feed_ends_each_line_and_none_stands_inside() -> None:
    content = encode_scored_rows(labelled(IDS, "m"), PAPER)
    assert content.count(b"\n") == len(IDS)
    assert content.endswith(b"}\n")
    assert encode_scored_rows(labelled((), "m"), PAPER) == b""


def test_labelled_rows_with_attributes_keep_them_and_a_confidence_where_there_is_one() -> None:
    scored = replace(
        labelled(("a", "b"), "m"),
        confidence=np.array([np.nan, 0.25], np.float32),
        attributes={"version": ("14", None)},
    )
    rows = [json.loads(line) for line in scored_row_lines(scored, PAPER)]
    assert [row["confidence"] for row in rows] == [None, 0.25]
    assert [row["attributes"] for row in rows] == [{"version": "14"}, {}]
    (back,) = decode_labelled_rows(
        encode_scored_rows(scored, PAPER), PAPER, source=scored.source, attributes=("version",)
    ).scored
    assert back.attributes == scored.attributes
    assert str(back.confidence) == "[ nan 0.25]"


def test_labelled_rows_without_attributes_keep_their_confidence_too() -> None:
    confidence = np.array([np.nan, 0.25, 1.0, 0.123456, *[np.nan] * 5, 0.5], np.float32)
    scored = replace(labelled(IDS, "m"), classifier='"confidence":null', confidence=confidence)
    rows = [json.loads(line) for line in scored_row_lines(scored, PAPER)]
    assert [row["confidence"] for row in rows] == [None, 0.25, 1.0, 0.1235, *[None] * 5, 0.5]
    assert [row["event_id"] for row in rows] == list(IDS)
    (back,) = decode_labelled_rows(encode_scored_rows(scored, PAPER), PAPER, source=scored.source).scored
    assert back.confidence is not None
    assert np.array_equal(back.confidence, np.round(confidence, 4), equal_nan=True)


def test_with_confidence_a_line_is_the_same_as_with_everything_else_absent() -> None:
    known = replace(labelled(IDS, "m"), confidence=np.linspace(0, 1, len(IDS), dtype=np.float32))
    general = replace(known, finish_reason=(None,) * len(IDS))
    assert scored_row_lines(general, PAPER) == scored_row_lines(known, PAPER)
