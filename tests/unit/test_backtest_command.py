"""`valuedrift backtest` and `power` as people use them: files, words, errors that say what to do, nothing half done."""

import json
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner, Result

from stream.backtest import compare as compare_module
from stream.backtest.aims import Target
from stream.backtest.estimates import Estimate, Interval
from stream.backtest.logs import read
from stream.backtest.results import sentences, target_table
from stream.cli import cli
from stream.commands import backtest as command
from stream.core.taxonomy import PAPER
from stream.errors import InputError
from stream.times import render
from tests.simulation.logs import BUSY, draw
from tests.unit.test_backtest_runs import small

START = 1_772_366_400_000_000
QUICK = ("--runs", "20", "--false-alarm-interval", "300", "--detector", "calibrated", "--jobs", "1")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VALUEDRIFT_REFERENCE__LEARN_FROM", "200")


def write_log(path: Path, n: int = 1_000, *, monitor: str = "bot", ts: bool = True, key: str = "category") -> Path:
    rows = (
        {"model": monitor, key: PAPER.names[category]} | ({"ts": render(START + place * 60_000_000)} if ts else {})
        for place, category in enumerate(draw(BUSY, n, 1).tolist())
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj={"debug": False})


def test_a_log_with_changes_gives_a_table_words_and_files_and_the_same_again(tmp_path: Path) -> None:
    log = str(write_log(tmp_path / "log.jsonl"))
    results = [run("backtest", log, "--change", "off_topic=40%", *QUICK, "--out", name) for name in ("a", "b")]
    assert [result.exit_code for result in results] == [0, 0]
    assert "bot: one false alarm in 300 responses" in results[0].output
    assert "off_topic 3" in results[0].output
    assert "is found after" in results[0].output
    assert "minutes (p90" in results[0].output.replace("\n", " ")
    assert {path.name for path in Path("a").iterdir()} == {"backtest.json", "backtest.csv", "operating-curve.png"}
    first, second = (json.loads(Path(name, "backtest.json").read_text()) for name in ("a", "b"))
    assert first["schema"] == "valuedrift.backtest/1"
    assert first["rows"] == second["rows"]
    assert first["rows"][0]["detector"] == "calibrated"
    lines = Path("a", "backtest.csv").read_text().splitlines()
    assert len(lines) == 1 + len(first["rows"])
    assert lines[0].startswith("source,change,detector,knob,setting,matched,wanted,interval,")


def test_a_log_spliced_with_another_is_told_as_one_change(tmp_path: Path) -> None:
    log = str(write_log(tmp_path / "log.jsonl"))
    later = tmp_path / "later.jsonl"
    later.write_text('{"model": "new", "label": "off_topic"}\n{"model": "old", "label": "off_topic"}\n' * 100)
    result = run("backtest", log, "--after", str(later), "--after-monitor", "new", *QUICK)
    assert result.exit_code == 0
    assert "bot, then new: is found after" in result.output
    assert Path("out/backtest/backtest.json").exists()


def test_days_of_the_log_set_the_interval(tmp_path: Path) -> None:
    log = str(write_log(tmp_path / "log.jsonl", 1_441))  # one a minute
    result = run("backtest", log, "--change", "off_topic=40%", "--false-alarm-days", "0.25", *QUICK[:2], *QUICK[4:])
    assert "bot: one false alarm in 360 responses" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a LOG"),
        (("LOG", "--suite", "quick"), "name a LOG"),
        (("--suite", "quick", "--change", "off_topic=x2"), "a suite has its own"),
        (("LOG", "--change", "off_topic=x2", "--after", "LOG"), "either --after or --change"),
        (("LOG", "--change", "off=x2"), "category must be one of"),
        (("LOG", "--detector", "ADWINN"), "river has no drift detector"),
        (("LOG", "--false-alarm-interval", "500", "--false-alarm-days", "1"), "choose"),
        (("--shares", "1,2", "--false-alarm-interval", "500"), "five numbers"),
        (("--shares", "0.86,0.02,0.06,0.03,0.03", "--false-alarm-days", "1"), "is for a LOG"),
    ],
)
def test_wrong_use_says_what_to_do_and_leaves_nothing(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    log = str(write_log(tmp_path / "log.jsonl"))
    result = run("backtest", *(log if argument == "LOG" else argument for argument in arguments))
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert not Path("out").exists()


def test_a_log_without_times_cannot_be_counted_in_days(tmp_path: Path) -> None:
    log = str(write_log(tmp_path / "log.jsonl", ts=False))
    assert "--false-alarm-interval" in run("backtest", log, "--false-alarm-days", "3").output
    assert "--per-day" in run("power", log).output


def test_an_interruption_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_module, "compare", interrupted)
    log = str(write_log(tmp_path / "log.jsonl"))
    assert run("backtest", log, *QUICK, "--out", "x/y").exit_code == 1
    assert not Path("x").exists()


def test_a_suite_is_measured_with_its_own_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.backtest.suite.quick", lambda seed: [small(seed)])
    result = run("backtest", "--suite", "quick", "--jobs", "1", "--out", "q")
    assert result.exit_code == 0
    assert "busy: one false alarm in 500 responses" in result.output
    assert "is found after" not in result.output
    assert command.DETECTORS[0] == "calibrated"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1]", "line 101: a row must be a JSON object"),
        ("{nothing", "line 101: a row must be a JSON object"),
        ('{"model": "bot", "category": "helpful"}', "line 101: category must be one of"),
        ('{"model": "bot", "prompt": "p", "response": "r"}', "valuedrift classify"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_not_quoted(line: str, words: str, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", 100)
    with log.open("a") as out:
        out.write(line + "\n")
    with pytest.raises(InputError, match=words) as raised:
        read([log], PAPER, monitor=None)
    assert line not in str(raised.value)


def test_a_log_of_several_monitors_needs_a_choice(tmp_path: Path) -> None:
    logs = [write_log(tmp_path / f"{name}.jsonl", 150, monitor=name, key="label") for name in ("one", "two")]
    with pytest.raises(InputError, match=r"choose one with --monitor: one \(150 responses\), two"):
        read(logs, PAPER, monitor=None)
    with pytest.raises(InputError, match="no monitor 'three'"):
        read(logs, PAPER, monitor="three")
    found = read(logs, PAPER, monitor="two")
    assert (found.name, found.categories.tolist()) == ("two", draw(BUSY, 150, 1).tolist())
    assert found.daily == pytest.approx(1_440)


@pytest.mark.parametrize(
    ("n", "block", "expected"), [(100, None, 5), (1_000, None, 50), (50_000, None, 500), (100, 7, 7)]
)
def test_blocks_are_a_twentieth_of_the_log_and_bounded(
    n: int, block: int | None, expected: int, tmp_path: Path
) -> None:
    log = read([write_log(tmp_path / "log.jsonl", n, ts=False)], PAPER, monitor=None)
    assert log.feed(PAPER, block).block == expected
    assert log.daily is None
    with pytest.raises(InputError, match="--block"):
        log.feed(PAPER, n + 1)


def test_too_short_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs 100 at least"):
        read([write_log(tmp_path / "log.jsonl", 99)], PAPER, monitor=None)
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(InputError, match="no responses"):
        read([empty], PAPER, monitor=None)


def row(*, missed: float, interval: float) -> compare_module.Row:
    return compare_module.Row(
        source="bot",
        change="misaligned 1 % → 3 %",
        detector="calibrated",
        knob="false_alarm_interval",
        setting=72_000.0,
        matched=True,
        wanted=72_000,
        interval=Interval(judged=1, alarms=1, value=interval, error=1, low=1, high=1),
        runs=200,
        delay=Estimate(320, 10),
        median=310,
        p90=540,
        missed=missed,
        missed_after=72_000,
        oracle=None,
    )


def test_the_words_say_delay_and_false_alarms_in_responses_and_time() -> None:
    assert sentences([row(missed=0, interval=72_000)], daily=2_400) == [
        "misaligned 1 % → 3 %: is found after 310 responses = 3.1 hours (p90 540), at one false alarm in 72,000 responses = 30 days"
    ]
    assert "is missed by 60 % within 72,000 responses" in sentences([row(missed=0.6, interval=72_000)], daily=None)[0]


@pytest.mark.parametrize(
    ("bound", "aim", "kept", "broken"),
    [
        ("at most", 1.25, (0.1, 1.2), (1.3, 9)),
        ("at least", 1.25, (1.3, 9), (0.1, 1.2)),
        ("within", 0.2, (0.81, 1.19), (0.79, 1.21)),
    ],
)
def test_a_target_is_met_where_the_figure_keeps_its_bound(
    bound: Literal["at most", "at least", "within"], aim: float, kept: tuple[float, ...], broken: tuple[float, ...]
) -> None:
    found = [Target(name="t", bound=bound, aim=aim, found=Estimate(value, 0.1)) for value in (*kept, *broken)]
    assert [target.met for target in found] == [True, True, False, False]
    assert target_table(found).row_count == 4


def test_power_says_what_a_change_takes_and_what_is_seen_in_time() -> None:
    shares = "0.86,0.02,0.06,0.03,0.03"
    result = run(
        "power", "--shares", shares, "--change", "off_topic=40%", "--within", "6h", "--per-day", "1200", "--runs", "20", "--jobs", "1",
    )  # fmt: skip
    assert result.exit_code == 0
    assert "off_topic 3 % → 40 %" in result.output
    assert "Smallest rise that is found within 300 responses = 6 hours in 90 % of cases" in result.output


def test_power_refuses_a_time_in_which_a_false_alarm_alone_would_come() -> None:
    result = run("power", "--shares", "0.86,0.02,0.06,0.03,0.03", "--within", "50000")
    assert result.exit_code == 2
    assert "a false alarm alone comes in 99%" in " ".join(result.output.split())


@pytest.mark.parametrize("text", ["0", "1y", "-3", "d"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    assert "neither responses" in run("power", "--shares", "0.86,0.02,0.06,0.03,0.03", f"--within={text}").output
