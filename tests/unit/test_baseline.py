"""References in files: learned from a log, refused where that is no level, used by settings; and accepted levels in a log's file."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stream.codec.baseline import decode_baseline, encode_baseline, read_baseline
from stream.config import ReferenceSettings, Settings
from stream.core.events import Origin, Since, State
from stream.core.reference import Baseline
from stream.core.settings import EngineSettings
from stream.core.taxonomy import PAPER, Behaviour, Taxonomy
from stream.errors import InputError, RecordError, SettingsError
from stream.learning import learn, rows_of
from stream.readers import Period
from stream.report.baselines import difference, overview, streams, verdict
from stream.worker.plan import Plan
from stream.worker.run import Job, introduction
from tests.simulation.logs import SECOND
from tests.unit import histories
from tests.unit.test_replay import START, contents, labelled, read, responses, run, write

BASELINE = Baseline(
    monitor="m", classifiers=("c@0",), start=START, end=START + SECOND, taxonomy=PAPER, counts=(860, 20, 60, 30, 30)
)
VALUEDRIFT = (sys.executable, "-c", "from stream.cli import main; main()")


def accept(monitor: str, *, learn: str = "window", number: int = 1) -> str:
    return json.dumps(
        {
            "schema": "valuedrift.control/1",
            "control_id": f"c{number}",
            "monitor": monitor,
            "ts": "2026-01-01T00:30:00Z",
            "action": "accept",
            "learn": learn,
        }
    )


def test_an_accepted_level_in_a_file_is_obeyed_where_it_stands_and_written_down_where_it_was(tmp_path: Path) -> None:
    rows = labelled(responses(3_000, change_at=1_200))
    log = write(tmp_path / "rows.jsonl", [*rows[:2_000], accept("a"), *rows[2_000:]])
    run(tmp_path / "out", log, scored=True)
    alerts = [alert for alert in read(tmp_path / "out", "alerts.jsonl") if alert["rule"] == "drift"]
    assert [(alert["monitor"], alert["reason"]) for alert in alerts if alert["status"] == "resolved"] == [
        ("a", "accepted")
    ]
    written = read(tmp_path / "out", "scored.jsonl")
    assert written[2_000] == json.loads(accept("a")) | {"ts": "2026-01-01T00:30:00.000000Z"}
    run(tmp_path / "again", tmp_path / "out" / "scored.jsonl", scored=True)
    files = ("drift.jsonl", "alerts.jsonl", "scored.jsonl")
    again, first = contents(tmp_path / "again", files), contents(tmp_path / "out", files)
    assert again["drift.jsonl"] == first["drift.jsonl"]
    assert again["alerts.jsonl"] == first["alerts.jsonl"]


def test_an_accepted_level_outside_the_period_is_left_out(tmp_path: Path) -> None:
    rows = labelled(responses(3_000, change_at=1_200))
    log = write(tmp_path / "rows.jsonl", [*rows[:2_000], accept("a"), *rows[2_000:]])
    run(tmp_path / "out", log, scored=True, period=Period(until=START + 1_700 * SECOND))
    assert "accepted" not in (tmp_path / "out" / "alerts.jsonl").read_text()


def test_a_damaged_control_record_is_a_dead_letter_and_the_rows_around_it_count(tmp_path: Path) -> None:
    rows = labelled(responses(300))
    damaged = accept("a").replace("accept", "explode")
    summary = run(tmp_path / "out", write(tmp_path / "rows.jsonl", [*rows[:100], damaged, *rows[100:]]), scored=True)
    assert (summary.responses, summary.dead_letters) == (300, {"unknown_format": 1})


def learned(log: Path, *, monitor: str | None = None, period: Period | None = None) -> Baseline:
    return learn(rows_of((log,), PAPER), PAPER, monitor=monitor, period=period or Period(), watch="behaviour")


def test_a_reference_is_what_the_log_holds_of_a_monitor(tmp_path: Path) -> None:
    rows = labelled(responses(1_500))
    found = learned(write(tmp_path / "rows.jsonl", [*rows[:700], accept("a"), *rows[700:]]), monitor="b")
    own = [row for row in rows if row["model"] == "b"]
    assert found.counts == tuple(sum(row["category"] == name for row in own) for name in PAPER.names)
    assert (found.monitor, found.classifiers) == ("b", ("labelled",))
    assert (found.start, found.end) == (START + rows.index(own[0]) * SECOND, START + rows.index(own[-1]) * SECOND)


def test_a_period_bounds_what_is_learned_from(tmp_path: Path) -> None:
    rows = labelled(responses(1_500, monitors=("a",)))
    period = Period(since=START + 200 * SECOND, until=START + 600 * SECOND)
    assert sum(learned(write(tmp_path / "rows.jsonl", rows), period=period).counts) == 400


def test_responses_that_are_not_at_rest_are_refused_with_what_moved(tmp_path: Path) -> None:
    log = write(tmp_path / "rows.jsonl", labelled(responses(2_000, monitors=("a",), change_at=1_000)))
    with pytest.raises(InputError, match=r"not at rest: the share of refusal_excessive is \d.* in the first .*--since"):
        learned(log)
    assert sum(learned(log, period=Period(until=START + 1_000 * SECOND)).counts) == 1_000


def test_what_cannot_be_learned_from_is_refused_with_the_reason(tmp_path: Path) -> None:
    rows = labelled(responses(300))
    log = write(tmp_path / "rows.jsonl", rows)
    with pytest.raises(InputError, match="3 monitors; choose one with --monitor: a, b, c"):
        learned(log)
    with pytest.raises(InputError, match="nothing of a monitor 'd'; it has: a, b, c"):
        learned(log, monitor="d")
    with pytest.raises(InputError, match="a reference needs 100 or more"):
        learned(write(tmp_path / "few.jsonl", rows[:50]), monitor="a")
    with pytest.raises(InputError, match="no responses in that period"):
        learned(log, period=Period(until=START))
    with pytest.raises(InputError, match="a row that cannot be used"):
        learned(write(tmp_path / "bad.jsonl", [*rows, "{}"]), monitor="a")


def test_a_file_is_read_back_and_one_that_was_edited_is_refused() -> None:
    content = encode_baseline(BASELINE)
    back = decode_baseline(content)
    assert (back.counts, back.classifiers, back.start, back.end) == (
        BASELINE.counts,
        BASELINE.classifiers,
        BASELINE.start,
        BASELINE.end,
    )
    assert decode_baseline(json.dumps(json.loads(content)).encode()) == back
    with pytest.raises(RecordError, match="changed after it was written"):
        decode_baseline(content.replace(b"860", b"861"))


def test_settings_take_the_counts_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_bytes(encode_baseline(BASELINE))
    settings = Settings(reference=ReferenceSettings(file=tmp_path / "baseline.json"))
    assert settings.engine(PAPER).reference == BASELINE.counts
    assert settings.engine(PAPER).fingerprint != Settings().engine(PAPER).fingerprint


def test_a_worker_tells_at_its_start_the_smallest_rise_that_the_file_lets_one_see(tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_bytes(encode_baseline(BASELINE))
    plan = Plan(input_partitions=0, scored_partitions=8, letter_bytes=0)
    for settings, told in (
        (Settings(), False),
        (Settings(reference=ReferenceSettings(file=tmp_path / "baseline.json")), True),
    ):
        job = Job(settings=settings, taxonomy=PAPER, classifier=None, detects=True)
        lines = introduction(job, plan, "http://127.0.0.1:1")
        assert any("smallest rises found within 1,000 responses" in line for line in lines) is told


def test_a_file_that_does_not_fit_stops_the_program_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    with pytest.raises(SettingsError, match=r"cannot read the reference .*No such file.*\[reference\] file"):
        read_baseline(file, PAPER)
    file.write_text("{}")
    with pytest.raises(SettingsError, match="make it again with `valuedrift baseline learn`"):
        read_baseline(file, PAPER)
    file.write_bytes(encode_baseline(BASELINE))
    other = Taxonomy((Behaviour("help", None), Behaviour("deceive", None)))
    with pytest.raises(SettingsError, match="the classifier's are help, deceive"):
        read_baseline(file, other)


def test_learning_from_a_file_on_the_command_line(tmp_path: Path) -> None:
    log, out = write(tmp_path / "rows.jsonl", labelled(responses(900, monitors=("a",)))), tmp_path / "baseline.json"
    done = subprocess.run(
        [*VALUEDRIFT, "baseline", "learn", log, "--out", out], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    learned, sees = done.stderr.splitlines()
    assert (done.returncode, learned) == (0, f"learned from 900 responses of a: {out}")
    assert sees.startswith("smallest rises found within 1,000 responses, about: helpful_misaligned ")
    assert sum(read_baseline(out, PAPER).counts) == 900
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline.json", "rows.jsonl"]


def cells(table: object) -> list[list[str]]:
    columns = [list(column.cells) for column in table.columns]  # type: ignore[attr-defined]
    return [list(map(str, row)) for row in zip(*columns, strict=True)]


def test_the_overview_says_where_a_reference_is_from_how_large_and_how_old() -> None:
    event = histories.drift("m", seq=86_999, state=State.FIRING)
    since = Since(seq=1_000, ts=event.ts - 90_000 * SECOND)
    accepted = replace(event.reference, origin=Origin.ACCEPTED, since=since, growing=False)
    given = replace(event.reference, origin=Origin.FILE, since=Since(seq=0, ts=None), growing=False)
    learning = replace(event.reference, n=30, since=None)
    rows = cells(overview([replace(event, reference=each) for each in (accepted, given, learning)], PAPER))
    assert [row[2] for row in rows] == ["accepted, frozen by an alert", "file, never grows", "learned, growing"]
    assert [row[3] for row in rows] == ["500", "500", "30 of 500"]
    assert [row[5] for row in rows] == ["86,000 responses, 1 d 1 h", "87,000 responses", ""]
    assert rows[1][4] == "the start"
    assert rows[0][7:] == ["45 %", "3.0 %", "40 %", "10 %", "2.0 %"]


def test_the_difference_is_counted_out_and_its_parts_add_up() -> None:
    event = histories.drift("m", seq=600, counts=histories.AFTER)
    settings = EngineSettings()
    table = cells(difference(event, settings))
    assert [row[:6] for row in table][3] == ["refusal_excessive", "10", "10 %", "35", "35 %", "+25.0"]
    assert sum(int(row[6].split()[0]) for row in table if row[6][0].isdigit() and "." not in row[6]) in range(97, 104)
    by_stream = {row[0]: row for row in cells(streams(event, settings))}
    assert by_stream["refusal_excessive"][1:3] == ["10 of 55", "35 of 55"]
    assert by_stream["traffic"][4] == "traffic_mix"
    assert "nats of evidence" in verdict(event)
    assert "is learning" in verdict(histories.drift("m", seq=6, state=State.LEARNING))


def test_the_p_value_of_a_stream_is_that_of_the_exact_test() -> None:
    event = histories.drift("m", seq=600, counts=histories.BEFORE)
    assert {row[3] for row in cells(streams(event, EngineSettings()))} == {"1"}
