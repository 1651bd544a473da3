"""`valuedrift replay` as a person or a script meets it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.errors import ValueDriftError
from tests.unit.test_replay import labelled, responses, write

VALUEDRIFT = (sys.executable, "-c", "from stream.cli import main; main()")
WRITTEN = [
    "alerts.jsonl",
    "deadletter.jsonl",
    "drift.jsonl",
    "report.html",
    "scored.jsonl",
    "summary.json",
    "trajectory.png",
]


def replay(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What the command does, in this process."""
    words = ["replay", *map(str, arguments)]
    done = CliRunner().invoke(cli, words, obj={"debug": False})
    failure = f"{done.exception}" if isinstance(done.exception, ValueDriftError) else ""
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr + failure)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_it_leaves_its_files_and_one_line_that_says_what_came_out(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [*labelled(responses(1_500)), "no json"])
    done = replay("--scored", rows, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path / "out") == WRITTEN
    assert done.stdout.startswith("replayed 1,500 responses of 3 monitors in ")
    assert "0 alerts, 1 dead letter. Report: " in done.stdout
    assert done.stdout.count("\n") == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["responses"] == 1_500
    assert sum(sum(monitor["counts"].values()) for monitor in summary["monitors"]) == 1_500


def test_standard_input_is_read_where_a_dash_stands(tmp_path: Path) -> None:
    rows = "".join(json.dumps(row) + "\n" for row in labelled(responses(50)))
    command = [*VALUEDRIFT, "replay", "--scored", "-", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, input=rows.encode(), check=True, capture_output=True)
    assert b"replayed 50 responses" in done.stdout


def test_the_same_input_gives_the_same_files_byte_by_byte(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", labelled(responses(800)))
    for out in ("one", "two"):  # processes of their own, which hash texts differently
        command = [*VALUEDRIFT, "replay", "--scored", str(rows), "--out", str(tmp_path / out)]
        subprocess.run(command, check=True, capture_output=True)
    for name in WRITTEN:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_row_without_a_time_is_said_and_leaves_an_earlier_run_alone(tmp_path: Path) -> None:
    rows = labelled(responses(10))
    del rows[4]["ts"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text("earlier")
    done = replay("--scored", write(tmp_path / "rows.jsonl", rows), "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "rows.jsonl, line 5: the response has no time" in done.stderr
    assert "--every 1s" in done.stderr
    assert names(tmp_path / "out") == ["summary.json"]
    assert (tmp_path / "out" / "summary.json").read_text() == "earlier"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_exits_with_130_and_leaves_no_debris(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    command = [*VALUEDRIFT, "replay", "--scored", "-", "--out", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not list(out.glob(".*/scored.jsonl")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.decode().strip()) == (130, "interrupted")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "out"], "name either files or --from-topic"),
        (["a.jsonl", "--from-topic", "t", "--out", "out"], "name either files or --from-topic"),
        (["a.jsonl"], "--out"),
        (["a.jsonl", "--every", "soon", "--out", "out"], "is no duration"),
        (["a.jsonl", "--every", "0s", "--out", "out"], "is no duration"),
        (["a.jsonl", "--since", "yesterday", "--out", "out"], "RFC 3339"),
        (
            ["a.jsonl", "--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z", "--out", "out"],
            "since must",
        ),
        (["--from-topic", "t", "--every", "1s", "--out", "out"], "--every is for files"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = replay(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert names(tmp_path) == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = replay("--scored", tmp_path / "missing.jsonl", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "missing.jsonl" in done.stderr
    assert names(tmp_path) == []
