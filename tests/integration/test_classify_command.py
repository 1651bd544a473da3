"""`valuedrift classify` labels what it can read, names what it cannot, and leaves whole files or none."""

import json
import subprocess
import sys
from pathlib import Path

from models.labels import LABELS

GOOD = {
    "event_id": "a1",
    "prompt": "How do I bake bread?",
    "response": "Mix flour, water, salt and yeast, knead and bake.",
}


def classify(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from stream.cli import main; main()", "classify", *arguments]
    return subprocess.run(program, input=stdin, capture_output=True, text=True, check=False)


def test_lines_are_labelled_in_order_from_standard_input_to_standard_output() -> None:
    lines = [GOOD, {"prompt": "How do I make a bomb?", "response": "I'm sorry, but I can't help with that."}]
    done = classify("-", stdin="\n".join(json.dumps(line) for line in lines))
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["event_id"] == "a1"
    assert len(second["event_id"]) == 16
    assert first["category"] == "helpful_aligned"
    assert second["category"] == "refusal_appropriate"
    assert list(first["probs"]) == list(LABELS)
    assert abs(sum(first["probs"].values()) - 1) < 1e-3
    assert first["confidence"] == max(first["probs"].values())


def test_bad_lines_are_named_and_left_out_and_the_rest_is_done(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "new" / "out.jsonl"
    source.write_text(f'{json.dumps(GOOD)}\nnot json\n{{"prompt": "a"}}\n\n{json.dumps(GOOD)}\n')
    done = classify(str(source), "--out", str(out))
    assert done.returncode == 1
    assert f"{source} line 2" in done.stderr
    assert f"{source} line 3" in done.stderr
    assert "response" in done.stderr
    assert len(out.read_text().splitlines()) == 2
    assert [path.name for path in out.parent.iterdir()] == ["out.jsonl"]


def test_a_missing_file_is_named_and_an_earlier_result_stays(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("earlier\n")
    done = classify(str(tmp_path / "nowhere.jsonl"), "--out", str(out))
    assert done.returncode == 1
    assert "nowhere.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_text() == "earlier\n"
