"""Replay of files: what is read, in which order it is written, and when it refuses."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.classifier import Classification, Pair
from stream import readers, times
from stream.config import MonitorSettings, ReferenceSettings, Settings
from stream.core.taxonomy import PAPER
from stream.errors import InputError
from stream.readers import Period
from stream.replay import Plan, replay
from stream.report.summary import Summary

START = times.parse("2026-01-01T00:00:00Z")
SECOND = 1_000_000
EVENTS = ("drift.jsonl", "alerts.jsonl")
FILES = ("scored.jsonl", "deadletter.jsonl", *EVENTS)
Row = dict[str, object]
BY_COUNT = MonitorSettings(window=100, stride=20)


class WordClassifier:
    """Sorts by the first word of the response, which is the name of a behaviour."""

    name = "words@000000000000"
    labels = PAPER.names
    request_kinds = tuple(behaviour.request for behaviour in PAPER.behaviours)

    def classify(self, pairs: Sequence[Pair]) -> Classification:
        category = np.array([PAPER.index(pair.response.split()[0]) for pair in pairs], np.uint8)
        probs = np.eye(5, dtype=np.float32)[category]
        ones = np.ones(len(pairs), np.float32)
        return Classification(category, probs, ones, -ones, np.zeros(len(pairs), np.bool_))

    def warmup(self) -> None:
        pass


def responses(
    n: int, *, monitors: Sequence[str] = ("a", "b", "c"), change_at: int | None = None, seed: int = 1
) -> list[Row]:
    """Response events in the order of their times, a second apart, of monitors in random order."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for index in range(n):
        weights = (40, 2, 40, 45, 2) if change_at is not None and index >= change_at else (86, 2, 6, 3, 3)
        behaviour = rng.choices(PAPER.names, weights)[0]
        rows.append(
            {
                "event_id": f"e{index}",
                "ts": times.render(START + index * SECOND),
                "model": rng.choice(monitors),
                "prompt": "a question",
                "response": f"{behaviour} {index}",
            }
        )
    return rows


def labelled(rows: Sequence[Row]) -> list[Row]:
    """The same as rows that are labelled already."""
    return [
        {
            "event_id": row["event_id"],
            "ts": row["ts"],
            "model": row["model"],
            "category": str(row["response"]).split()[0],
        }
        for row in rows
    ]


def write(path: Path, rows: Sequence[Row | str]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def run(
    folder: Path,
    *files: Path,
    scored: bool = False,
    period: Period | None = None,
    every: int | None = None,
    monitor: MonitorSettings = BY_COUNT,
) -> Summary:
    folder.mkdir(exist_ok=True)
    settings = Settings().model_copy(
        update={
            "monitor": monitor,
            "reference": ReferenceSettings(learn_from=100),
        }
    )
    plan = Plan(files=files, scored=scored, period=period or Period(), every=every)
    return replay(plan, settings, folder, load=WordClassifier, meter=silent)


def silent(responses: int, *, done: int, total: int | None) -> None:
    pass


def read(folder: Path, name: str) -> list[Row]:
    return [json.loads(line) for line in (folder / name).read_bytes().splitlines()]


def contents(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def test_every_response_is_written_once_in_the_order_of_the_input(tmp_path: Path) -> None:
    rows = responses(1_000)
    run(tmp_path / "out", write(tmp_path / "chat.jsonl", rows))
    written = read(tmp_path / "out", "scored.jsonl")
    assert [row["event_id"] for row in written] == [row["event_id"] for row in rows]
    assert [row["monitor"] for row in written] == [row["model"] for row in rows]
    assert [row["category"] for row in written] == [str(row["response"]).split()[0] for row in rows]
    assert [row["ts"] for row in written] == [row["ts"] for row in rows]


def test_drift_events_stand_where_their_response_stood_and_count_its_window(tmp_path: Path) -> None:
    rows = responses(1_000)
    run(tmp_path / "out", write(tmp_path / "chat.jsonl", rows))
    events = read(tmp_path / "out", "drift.jsonl")
    assert [event["ts"] for event in events] == sorted(str(event["ts"]) for event in events)
    for monitor in ("a", "b", "c"):
        own = [row for row in rows if row["model"] == monitor]
        strided = [event for event in events if event["monitor"] == monitor and (int(str(event["seq"])) + 1) % 20 == 0]
        assert [event["seq"] for event in strided] == list(range(19, len(own), 20))
        for event in strided:
            seq = int(str(event["seq"]))
            counted = Counter(str(row["response"]).split()[0] for row in own[max(0, seq - 99) : seq + 1])
            assert event["counts"] == [counted[name] for name in PAPER.names]
            assert event["ts"] == own[seq]["ts"]


def test_a_change_is_found_and_its_alert_pages_nobody(tmp_path: Path) -> None:
    summary = run(tmp_path / "out", write(tmp_path / "chat.jsonl", responses(2_000, change_at=1_200)))
    alerts = read(tmp_path / "out", "alerts.jsonl")
    fired = [alert for alert in alerts if alert["status"] == "firing" and alert["rule"] == "drift"]
    assert {alert["monitor"] for alert in fired if str(alert["ts"]) > times.render(START + 1_200 * SECOND)} == {
        "a",
        "b",
        "c",
    }
    assert all(alert["replay"] is True for alert in alerts)
    assert summary.alerts_fired == sum(alert["status"] == "firing" for alert in alerts)
    assert summary.responses == 2_000
    assert {monitor.monitor for monitor in summary.monitors} == {"a", "b", "c"}
    assert summary.classifiers == ["words@000000000000"]


@pytest.mark.parametrize("scored", [True, False])
def test_the_files_do_not_depend_on_where_the_input_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, scored: bool
) -> None:
    rows: list[Row | str] = [*(labelled if scored else list)(responses(1_500, change_at=900))]
    rows.insert(700, "no json")
    rows.insert(300, "{}")
    path = write(tmp_path / "rows.jsonl", rows)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(whole, path, scored=scored)
    monkeypatch.setattr(readers, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(readers._Growth, "FEW", 0)
    monkeypatch.setattr(readers, "BATCH", 7)
    run(cut, path, scored=scored)
    assert contents(whole, FILES) == contents(cut, FILES)
    assert len(read(whole, "alerts.jsonl")) > 0


def test_labelled_rows_show_what_the_responses_show(tmp_path: Path) -> None:
    rows = responses(1_500, change_at=900)
    run(tmp_path / "responses", write(tmp_path / "chat.jsonl", rows))
    named = [row | {"classifier": WordClassifier.name} for row in labelled(rows)]
    run(tmp_path / "rows", write(tmp_path / "rows.jsonl", named), scored=True)
    run(tmp_path / "again", tmp_path / "responses" / "scored.jsonl", scored=True)
    expected = contents(tmp_path / "responses", EVENTS)
    assert contents(tmp_path / "rows", EVENTS) == expected
    assert contents(tmp_path / "again", EVENTS) == expected
    assert expected["alerts.jsonl"]


def test_attributes_and_windows_by_age_show_the_same_in_a_replay_of_the_written_rows(tmp_path: Path) -> None:
    monitor = MonitorSettings(window=100, stride=20, attributes=("version",), contrast=("version",), window_age="10m")
    rows = [
        row | {"attributes": {"version": "14" if index > 900 and index % 2 else "13"}}
        for index, row in enumerate(responses(1_500, monitors=("a",), change_at=900))
    ]
    run(tmp_path / "responses", write(tmp_path / "chat.jsonl", rows), monitor=monitor)
    bare = [
        named | {"classifier": WordClassifier.name, "attributes": row["attributes"]}
        for named, row in zip(labelled(rows), rows, strict=True)
    ]
    run(tmp_path / "rows", write(tmp_path / "rows.jsonl", bare), scored=True, monitor=monitor)
    run(tmp_path / "again", tmp_path / "rows" / "scored.jsonl", scored=True, monitor=monitor)
    expected = contents(tmp_path / "responses", EVENTS)
    assert contents(tmp_path / "rows", EVENTS) == expected
    assert contents(tmp_path / "again", EVENTS) == expected
    assert read(tmp_path / "again", "alerts.jsonl")[0]["contrasts"]
    assert read(tmp_path / "again", "drift.jsonl")[-1]["n"] == 600


def test_gzip_and_several_files_of_one_name_are_one_history(tmp_path: Path) -> None:
    rows = labelled(responses(1_000))
    run(tmp_path / "whole", write(tmp_path / "rows.jsonl", rows), scored=True)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = tmp_path / "one" / "rows.jsonl"
    first.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows[:600]).encode()))
    second = write(tmp_path / "two" / "rows.jsonl", rows[600:])
    summary = run(tmp_path / "parts", first, second, scored=True)
    assert summary.responses == 1_000
    assert contents(tmp_path / "parts", EVENTS) == contents(tmp_path / "whole", EVENTS)


def test_dead_letters_keep_their_bytes_place_and_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows: list[Row | str] = [*responses(10)]
    rows.insert(3, "no json")
    rows.insert(7, json.dumps({"model": "a", "prompt": "a question", "response": " ", "ts": "2026-01-01T00:00:00Z"}))
    summary = run(tmp_path / "out", write(tmp_path / "chat.jsonl", rows))
    letters = read(tmp_path / "out", "deadletter.jsonl")
    assert [(letter["offset"], letter["reason"]) for letter in letters] == [(3, "invalid_json"), (7, "empty_response")]
    assert letters[0]["value"] == "bm8ganNvbg=="
    assert summary.dead_letters == {"empty_response": 1, "invalid_json": 1}
    assert summary.responses == 10


def test_a_response_without_a_time_stops_and_is_named(tmp_path: Path) -> None:
    rows = responses(10)
    del rows[6]["ts"]
    with pytest.raises(InputError, match=r"chat\.jsonl, line 7: the response has no time.*--every 1s"):
        run(tmp_path / "out", write(tmp_path / "chat.jsonl", rows))


def test_a_labelled_row_without_a_time_stops_and_is_named(tmp_path: Path) -> None:
    rows = labelled(responses(10))
    del rows[6]["ts"]
    with pytest.raises(InputError, match=r"rows\.jsonl, line 7: the response has no time.*--every 1s"):
        run(tmp_path / "out", write(tmp_path / "rows.jsonl", rows), scored=True)


@pytest.mark.parametrize("scored", [True, False])
def test_every_spaces_responses_without_a_time_over_all_files(tmp_path: Path, *, scored: bool) -> None:
    rows = (labelled if scored else list)(responses(6))
    for row in rows:
        del row["ts"]
    rows[4]["ts"] = "2026-05-05T05:05:05Z"
    first, second = write(tmp_path / "one.jsonl", rows[:4]), write(tmp_path / "two.jsonl", rows[4:])
    run(tmp_path / "out", first, second, scored=scored, every=500_000)
    assert [row["ts"] for row in read(tmp_path / "out", "scored.jsonl")] == [
        "2000-01-01T00:00:00.000000Z",
        "2000-01-01T00:00:00.500000Z",
        "2000-01-01T00:00:01.000000Z",
        "2000-01-01T00:00:01.500000Z",
        "2026-05-05T05:05:05.000000Z",
        "2000-01-01T00:00:02.500000Z",
    ]


@pytest.mark.parametrize("scored", [True, False])
def test_a_period_includes_its_beginning_and_excludes_its_end(tmp_path: Path, *, scored: bool) -> None:
    rows = responses(300)
    path = write(tmp_path / "rows.jsonl", (labelled if scored else list)(rows))
    period = Period(since=START + 100 * SECOND, until=START + 200 * SECOND)
    summary = run(tmp_path / "out", path, scored=scored, period=period)
    assert [row["event_id"] for row in read(tmp_path / "out", "scored.jsonl")] == [f"e{at}" for at in range(100, 200)]
    assert summary.responses == 100
    assert min(monitor.first_ts for monitor in summary.monitors) == times.render(START + 100 * SECOND)


@pytest.mark.parametrize(
    ("period", "first", "last"), [(Period(since=START + 5 * SECOND), 5, 9), (Period(until=START + 5 * SECOND), 0, 4)]
)
def test_a_period_may_be_open(tmp_path: Path, period: Period, first: int, last: int) -> None:
    run(tmp_path / "out", write(tmp_path / "chat.jsonl", responses(10)), period=period)
    ids = [row["event_id"] for row in read(tmp_path / "out", "scored.jsonl")]
    assert ids == [f"e{at}" for at in range(first, last + 1)]


def test_an_empty_period_is_refused() -> None:
    with pytest.raises(ValueError, match="since must be earlier than until"):
        Period(since=START, until=START)


def test_an_empty_file_gives_empty_results(tmp_path: Path) -> None:
    summary = run(tmp_path / "out", write(tmp_path / "chat.jsonl", []))
    assert (summary.responses, summary.monitors) == (0, [])
    assert all(content == b"" for content in contents(tmp_path / "out", FILES).values())
