"""`valuedrift experiment` as a person runs it: a report that can be had again, and clear words when it cannot."""

import gzip
import json
from importlib.resources import files
from pathlib import Path

import pytest

from tests.integration.processes import valuedrift


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Ten prompts of the shipped rows, each answered by five models."""
    content = gzip.decompress((files("stream.demo") / "data" / "xstest-human-labelled.jsonl.gz").read_bytes())
    rows = [json.loads(line) for line in content.splitlines()]
    chosen = sorted({row["prompt"] for row in rows})[::23]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows if row["prompt"] in chosen))
    return file


@pytest.mark.shipped
def test_the_classifier_experiment_with_the_shipped_model_writes_a_report_and_the_same_one_again(
    few: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    command = ("experiment", "classifier", "--labelled", str(few), "--out", str(out))
    done = valuedrift(*command)
    assert done.returncode == 0, done.stderr
    assert b"report.html" in done.stdout
    first = (out / "figures.json").read_bytes()
    figures = json.loads(first)
    assert figures["schema"] == "valuedrift.experiment/1"
    tables = figures["tables"]
    assert {"accuracy", "labels", "confusion", "calibration", "entropies", "outside", "variance", "precision"} == set(
        tables
    )
    assert sum(row["rows"] for row in tables["calibration"]["rows"]) == sum(
        row["rows"] for row in tables["labels"]["rows"]
    )
    assert sum(row["share"] for row in tables["variance"]["rows"]) == pytest.approx(1)
    for name in tables:
        assert (out / f"{name}.csv").read_text().count("\n") == len(tables[name]["rows"]) + 1
    for picture in ("calibration", "entropies", "precision"):
        assert (out / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text()
    assert "<script" not in page
    assert "real responses of real models" in page
    (out / "report.html").unlink()
    assert valuedrift(*command).returncode == 0
    assert (out / "figures.json").read_bytes() == first


@pytest.mark.parametrize("name", ["classifier", "dynamics", "threshold"])
def test_rows_that_cannot_be_read_are_told(name: str, tmp_path: Path) -> None:
    done = valuedrift("experiment", name, "--labelled", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert b"cannot read the labelled rows" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
