"""`valuedrift label` as a person meets it: pick, read, estimate."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from models.bundle import DEFAULT_BUNDLE, verify
from models.labels import LABELS
from stream.codec.scored import encode_scored
from stream.commands.label import label
from stream.core.records import Scored, Source, SourceRecord
from stream.core.taxonomy import PAPER
from stream.errors import InputError
from stream.labelling.evidence import load_evidence
from stream.labelling.predictions import read_topic

N = 400
SHARES = (0.7, 0.05, 0.15, 0.05, 0.05)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(label, list(map(str, arguments)), obj={}, standalone_mode=False)


def world(folder: Path, *, n: int = N, classifier: str = "t@0") -> list[str]:
    """Writes log.jsonl and scored.jsonl; returns the true label of each response, `e0` first."""
    random = np.random.default_rng(2)
    truth = random.choice(5, n, p=SHARES)
    probs = np.full((n, 5), 0.02)
    said = np.where(random.random(n) < 0.85, truth, random.integers(0, 5, n))
    probs[np.arange(n), said] = np.where(random.random(n) < 0.7, 0.92, 0.6)
    probs[:, 0] += 1 - probs.sum(axis=1)
    rows = [
        {"event_id": f"e{at}", "monitor": "m", "ts": f"2026-03-01T12:{at // 60 % 60:02}:{at % 60:02}Z", "offset": at}
        | {"source": {"topic": "t", "partition": 0}, "category": LABELS[probs[at].argmax()], "classifier": classifier}
        | {"probs": probs[at].round(4).tolist()}
        for at in range(n)
    ]
    chats = [{"event_id": f"e{at}", "model": "m", "prompt": f"=prompt {at}", "response": f"a {at}"} for at in range(n)]
    write(folder / "scored.jsonl", rows)
    write(folder / "log.jsonl", chats)
    return [LABELS[at] for at in truth]


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def picked(folder: Path, *options: str, n: int = 80) -> Path:
    done = run(
        "pick",
        folder / "log.jsonl",
        "--predictions",
        folder / "scored.jsonl",
        "-n",
        str(n),
        "--out",
        folder / "sample",
        *options,
    )
    if done.exception:
        raise done.exception
    assert f"picked {n} of " in done.output
    return folder / "sample"


def fill(sample: Path, truth: list[str]) -> Path:
    rows = [json.loads(line) for line in (sample / "rows.jsonl").read_text().splitlines()]
    lines = [f"{row['row']},{truth[int(row['event_id'][1:])]}" for row in rows]
    path = sample.parent / "filled.csv"
    path.write_text("\n".join(["row,label", *lines]))
    return path


def estimated(sample: Path, *options: str | Path) -> dict[str, Any]:
    done = CliRunner().invoke(
        label, ["estimate", str(sample), "--json", *map(str, options)], obj={}, standalone_mode=False
    )
    if done.exception:
        raise done.exception
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_from_pick_to_estimate_the_labels_correct_what_the_classifier_says(tmp_path: Path) -> None:
    truth = world(tmp_path)
    sample = picked(tmp_path, "--sheet")
    assert "'=prompt" in (sample / "sheet.csv").read_text()
    done = run("read", sample, fill(sample, truth))
    assert "80 of 80 labelled" in done.output
    made = estimated(sample)
    assert (made["responses"], made["labels"]) == (N, 80)
    share = {name: truth.count(name) / N for name in LABELS}
    for name, each in made["estimates"]["labelled"]["shares"].items():
        assert each["low"] <= share[name] <= each["high"]
    entropy = -sum(each * math.log(each) for each in share.values())
    assert made["estimates"]["labelled"]["entropy"]["low"] < entropy < made["estimates"]["labelled"]["entropy"]["high"]
    assert made["estimates"]["predicted"]["entropy"]["low"] > entropy
    assert "labelled by 't@0'" in made["left_out"]["confusion"]


def test_the_table_has_a_column_for_each_method_and_says_why_one_is_missing(tmp_path: Path) -> None:
    world(tmp_path, classifier=verify(DEFAULT_BUNDLE).identity)
    done = run("estimate", picked(tmp_path))
    assert done.exception is None
    for words in ("S, nats", "refusal_excessive, %", "as predicted", "mean of probabilities", "confusion inverted"):
        assert words in done.output
    assert 'no estimate "with people\'s labels": no label yet among the responses' in done.output


def test_the_same_seed_picks_the_same_rows_and_another_others(tmp_path: Path) -> None:
    world(tmp_path)
    first = (picked(tmp_path) / "rows.jsonl").read_bytes()
    assert (picked(tmp_path) / "rows.jsonl").read_bytes() == first
    assert (picked(tmp_path, "--seed", "2") / "rows.jsonl").read_bytes() != first


def test_what_people_labelled_is_never_overwritten(tmp_path: Path) -> None:
    truth = world(tmp_path)
    sample = picked(tmp_path)
    run("read", sample, fill(sample, truth))
    with pytest.raises(Exception, match="holds labels that people gave"):
        picked(tmp_path)


def test_responses_without_a_text_are_counted_and_left_out(tmp_path: Path) -> None:
    world(tmp_path)
    log = tmp_path / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:300]))
    done = run("pick", log, "--predictions", tmp_path / "scored.jsonl", "-n", "60", "--out", tmp_path / "sample")
    assert "picked 60 of 300 responses" in done.output
    assert "100 more scored responses have no text" in done.output
    assert estimated(tmp_path / "sample")["without_text"] == 100


def test_a_repeated_delivery_is_one_response(tmp_path: Path) -> None:
    world(tmp_path)
    scored = tmp_path / "scored.jsonl"
    scored.write_text(scored.read_text() * 2)
    assert estimated(picked(tmp_path))["responses"] == N


def test_a_period_is_kept_to(tmp_path: Path) -> None:
    world(tmp_path)
    sample = picked(tmp_path, "--since", "2026-03-01T12:01:00Z", "--until", "2026-03-01T12:05:00Z")
    assert estimated(sample)["responses"] == 240


def test_the_output_of_classify_is_enough_and_the_bundle_can_be_named(tmp_path: Path) -> None:
    world(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()]
    keys = ("event_id", "category")
    lines = [{key: row[key] for key in keys} | {"probs": dict(zip(LABELS, row["probs"], strict=True))} for row in rows]
    write(tmp_path / "scored.jsonl", lines)
    sample = picked(tmp_path)
    assert "name it with --bundle" in estimated(sample)["left_out"]["confusion"]
    made = estimated(sample, "--bundle", DEFAULT_BUNDLE)
    assert made["held_out"]["rows"] > made["held_out"]["design_effect"] > 1
    assert "confusion" in made["estimates"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probs": None}, "line 2: the row has no probs"),
        ({"probs": [0.5, 0.5]}, "line 2: probs must be 5 numbers"),
        ({"probs": [1.5, -0.5, 0, 0, 0]}, "line 2: probs must be 5 numbers"),
        ({"probs": [0.5, 0, 0, 0, 0]}, "line 2: probs must be 5 numbers"),
        ({"probs": {"a": 1.0}}, "line 2: probs must name"),
        ({"category": "g1"}, "line 2: category must be one of"),
        ({"event_id": 7}, "line 2: Expected `str`"),
        ({"monitor": "n"}, "several monitors; choose with --monitor one of 'm', 'n'"),
        ({"classifier": "u@1"}, "labelled by 2 classifiers"),
    ],
)
def test_rows_that_cannot_be_used_stop_it_with_their_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    world(tmp_path, n=60)
    rows = [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()]
    rows[1] |= change
    write(tmp_path / "scored.jsonl", rows)
    with pytest.raises(InputError, match=message):
        picked(tmp_path, n=40)
    assert not (tmp_path / "sample").exists()


def test_a_log_of_other_responses_and_a_small_budget_are_refused(tmp_path: Path) -> None:
    world(tmp_path)
    with pytest.raises(InputError, match=r"needs a budget of at least .* raise -n"):
        picked(tmp_path, n=5)
    with pytest.raises(InputError, match="no monitor of that name"):
        picked(tmp_path, "--monitor", "other")
    write(tmp_path / "log.jsonl", [{"event_id": "z", "model": "m", "prompt": "p", "response": "r"}])
    with pytest.raises(InputError, match="none of the 400 scored responses has its text"):
        picked(tmp_path)


def test_ask_needs_a_terminal(tmp_path: Path) -> None:
    world(tmp_path)
    assert "needs a terminal" in str(run("ask", picked(tmp_path)).exception)


def test_records_of_a_scored_topic_give_the_same_predictions() -> None:
    scored = Scored(
        monitor="m",
        classifier="t@0",
        source=Source("llm.responses", 3),
        offset=np.array([4, 4, 9]),
        event_id=("a", "b", "c"),
        ts=np.array([1_772_366_400_000_000] * 3),
        category=np.array([0, 2, 0], np.uint8),
        probs=np.array([[0.9, 0.1, 0, 0, 0], [0, 0, 1, 0, 0], [0.6, 0.1, 0.1, 0.1, 0.1]], np.float32),
        confidence=np.array([0.9, 1, 0.6], np.float32),
        energy=np.zeros(3, np.float32),
        truncated=np.zeros(3, np.bool_),
        finish_reason=(None, None, None),
        attributes={},
    )
    record = SourceRecord(
        source=Source("valuedrift.scored", 0),
        offset=0,
        key=b"m",
        value=encode_scored(scored, PAPER),
        headers=(),
        timestamp=0,
    )
    found = read_topic([record, record], PAPER)
    assert (found.event_id, found.categories, found.classifiers) == (["a", "b", "c"], [0, 2, 0], {"t@0"})
    assert found.probs[2] == pytest.approx([0.6, 0.1, 0.1, 0.1, 0.1])


def test_the_shipped_bundle_brings_its_confusion() -> None:
    found = load_evidence(DEFAULT_BUNDLE, "")
    assert not isinstance(found, str)
    figures = json.loads((DEFAULT_BUNDLE / "figures.json").read_text())["headline"]["all rows"]
    assert found.confusion * found.design_effect == pytest.approx(np.array(figures["confusion"]))
    independent = figures["accuracy"] * (1 - figures["accuracy"]) / figures["rows"]
    error = (figures["accuracy_high"] - figures["accuracy_low"]) / (2 * 1.96)
    assert found.design_effect == pytest.approx(error**2 / independent, rel=1e-4)
