"""What a source is worth that training has not seen."""

import json
from pathlib import Path

import pytest

from export.evaluate import EvaluateOptions
from export.unseen import unseen_sources
from tests.export.tiny import write_minilm, write_rows


def test_a_source_that_alone_has_its_label_is_lost_when_it_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minilm = write_minilm(tmp_path / "minilm")
    monkeypatch.setattr("export.unseen.minilm_folder", lambda: minilm)
    data = write_rows(tmp_path / "data", 300)
    for name, count, label in (("strays", 150, "off_topic"), ("few", 6, "helpful_aligned")):
        rows = [
            {"prompt": f"{name} banana number{n}", "response": "weather weather weather", "label": label}
            for n in range(count)
        ]
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    seen: list[tuple[str, int, int]] = []
    found = unseen_sources(
        EvaluateOptions(bundle=tmp_path / "none", data=data),
        lambda stage, step, steps, _: seen.append((stage, step, steps)),
    )
    assert [one.source for one in found] == ["rows", "strays"]  # a handful of rows says nothing
    for one in found:
        assert one.with_it > 0.6
        assert one.without_it < 0.1  # what is left teaches none of its labels, or hardly any
        assert one.rows >= 10
    assert {stage for stage, step, steps in seen if step == steps} == {"embeddings", "sources"}
