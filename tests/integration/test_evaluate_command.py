"""`valuedrift evaluate` with the shipped bundle: figures on the screen, two files or none, and texts only where asked for."""

import gzip
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from export.report import Report
from models.bundle import DEFAULT_BUNDLE, verify
from stream.commands.evaluate import evaluate

ROWS = Path("stream/demo/data/xstest-human-labelled.jsonl.gz")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models' answers to thirty prompts."""
    with gzip.open(ROWS, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    models = sorted({row["model"] for row in rows})[:2]
    prompts = sorted({row["prompt"] for row in rows})[::8][:30]
    folder = tmp_path_factory.mktemp("rows")
    chosen = [row for row in rows if row["prompt"] in prompts and row["model"] in models]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(evaluate, words, obj={"debug": False}, catch_exceptions=False)


def test_it_tells_the_figures_and_writes_a_page_and_figures_that_name_the_bundle(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = run("--data", str(data), "--part", "all", "--out", str(out))
    assert told.exit_code == 0, told.output
    assert {path.name for path in out.iterdir()} == {"report.html", "evaluation.json"}
    report = msgspec.json.decode((out / "evaluation.json").read_bytes(), type=Report)
    bundle = verify(DEFAULT_BUNDLE)
    assert (report.bundle, report.manifest_sha256) == (bundle.identity, bundle.sha256)
    prompts = [json.loads(line)["prompt"] for line in (data / "mine.jsonl").read_text().splitlines()]
    assert report.headline["all rows"].rows == len(prompts) + len(prompts) // 4
    for words in ("macro-F1", "helpful_misaligned", "Pearson's ρ", "does not list as held out"):
        assert words in told.output
    page = (out / "report.html").read_text()
    assert f"How good is {bundle.identity}" in page
    for text in (page, (out / "evaluation.json").read_text(), told.output):
        assert not any(prompt in text for prompt in prompts)
    again = run("--data", str(data), "--part", "all", "--out", str(out), "--show-texts")
    assert again.exit_code == 0
    assert (out / "report.html").read_text().count("<article>") == len(report.worst) > 0
    assert (out / "evaluation.json").read_bytes() == msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def test_texts_without_a_place_for_them_are_wrong_use_and_a_failure_leaves_no_file(data: Path, tmp_path: Path) -> None:
    refused = run("--data", str(data), "--show-texts")
    assert refused.exit_code == 2
    assert "--out" in refused.output
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Exception, match="no labelled row"):
        run("--data", str(empty), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
