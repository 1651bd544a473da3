"""Other systems' logs through the pipeline: what is skipped keeps no text, and tables are replayed by a map."""

import json
from pathlib import Path

from stream.codec.dead_letter import encode_dead_letter
from stream.config import MonitorSettings, ReferenceSettings, Settings, WorkerSettings
from stream.core.records import RejectReason
from stream.core.taxonomy import PAPER
from stream.formats.mapped import FieldMap
from stream.formats.missing_time import Demanded
from stream.pipeline import Classify
from stream.readers import Period
from stream.replay import Plan, replay
from tests.unit.log_records import record
from tests.unit.otlp_batches import span, traces
from tests.unit.test_formats_litellm import PAYLOAD
from tests.unit.test_formats_otlp import CURRENT
from tests.unit.test_replay import WordClassifier


def pipeline(*, keep_values: bool = True) -> Classify:
    return Classify(classifier=WordClassifier(), taxonomy=PAPER, missing_time=Demanded(), keep_values=keep_values)


def test_a_letter_of_a_skipped_record_holds_no_text_and_that_of_a_bad_one_does() -> None:
    failed = record(PAYLOAD | {"status": "failure"})
    bad = record(PAYLOAD | {"model": 5})
    batch = pipeline().read([failed, bad])
    assert [(letter.reason, letter.value) for letter in batch.dead] == [
        (RejectReason.FAILED_CALL, None),
        (RejectReason.WRONG_TYPE, bad.value),
    ]
    assert b"Hello" not in encode_dead_letter(batch.dead[0])
    assert [letter.value for letter in pipeline(keep_values=False).read([failed, bad]).dead] == [None, None]


def test_all_calls_of_a_batch_are_scored_at_the_offset_of_their_record() -> None:
    answers = [{"role": "assistant", "parts": [{"type": "text", "content": f"{name} x"}]} for name in PAPER.names]
    batch = pipeline().read([record(traces(*[span(CURRENT | {"gen_ai.output.messages": [each]}) for each in answers]))])
    (scored,) = pipeline().write(batch, pipeline().judge(batch))
    assert scored.category.tolist() == [0, 1, 2, 3, 4]
    assert scored.offset.tolist() == [7] * 5


def test_a_table_is_replayed_by_a_map(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("q,a,at\n" + "".join(f"ask,{name} x,174156995{place}\n" for place, name in enumerate(PAPER.names)))
    plan = Plan(files=(file,), period=Period(), field_map=FieldMap.parse("prompt=q,response=a,ts=at,model=:m"))
    settings = Settings(monitor=MonitorSettings(window=100, stride=50), reference=ReferenceSettings(learn_from=200))
    (tmp_path / "out").mkdir()
    summary = replay(plan, settings, tmp_path / "out", load=WordClassifier, meter=lambda *_, **__: None)
    assert summary.responses == 5
    rows = [json.loads(line) for line in (tmp_path / "out" / "scored.jsonl").read_text().splitlines()]
    assert [row["category"] for row in rows] == list(PAPER.names)
    assert rows[0]["ts"] == "2025-03-10T01:25:50.000000Z"


def test_the_workers_format_must_be_one_that_is_known() -> None:
    assert WorkerSettings(format="litellm_uncached").format == "litellm_uncached"
    assert WorkerSettings().format is None
