"""From a BERT to a teacher to a T5, stopped and gone on with, and then taught further: the whole of `valuedrift train`."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from export.checkpoint import load
from export.curves import PLOT, TABLE, Progress, read_curves
from export.errors import ExportError
from export.learner import DistilOptions
from export.resume import StateFile
from export.student import StudentShape
from export.teaching import TeachingOptions
from export.train import TrainOptions, train
from tests.export.tiny import write_checkpoint, write_minilm, write_rows

SHAPE = StudentShape(width=32, layers=2, decoder_layers=2, heads=4, feed_forward=64)
OPTIONS = DistilOptions(passes=4, tokens_per_batch=160, unlabelled=0, off_topic=60, refused=60, asked=30)


class KilledError(Exception):
    pass


def killed_at(number: int, progressed: list[str], last: str = "student") -> Progress:
    def progress(stage: str, step: int, steps: int, words: str) -> None:
        progressed.append(f"{stage} {step}")
        if (stage, step) == (last, number):
            raise KilledError

    return progress


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainOptions:
    minilm = write_minilm(tmp_path / "minilm")
    monkeypatch.setattr("export.minilm.minilm_folder", lambda: minilm)
    for name in ("_OFF_TOPIC", "_REFUSED", "_ASKED"):
        monkeypatch.setattr(f"export.teaching.{name}", 60)
    return TrainOptions(
        data=write_rows(tmp_path / "data", 400),
        out=tmp_path / "out",
        teaching=TeachingOptions(passes=1, tokens_per_batch=500),
        distilling=OPTIONS,
        shape=SHAPE,
        threads=1,
    )


def test_a_stopped_run_is_resumed_without_a_new_teacher_and_its_checkpoint_is_taught_further(
    options: TrainOptions,
) -> None:
    said: list[str] = []
    with pytest.raises(KilledError):
        train(options, killed_at(150, said))
    assert not options.out.exists()
    with pytest.raises(ExportError, match="other data, teacher or options"):
        train(replace(options, resume=True, distilling=replace(OPTIONS, rate=0.1)))

    again: list[str] = []
    trained = train(replace(options, resume=True), killed_at(-1, again))
    assert again[:3] == ["rows 400", "student 0", "student 110"]  # saved at 100, and no teacher was trained
    assert trained.note.record is not None
    assert {"validation_accuracy", "validation_macro_f1"} <= set(trained.note.record.validation)
    points = read_curves(options.out / TABLE)
    steps = [point.step for point in points if point.name == "student loss"]
    assert steps == sorted(set(steps))
    assert {50, 100, 150, 200} <= set(steps)
    assert "student validation_macro_f1" in {point.name for point in points}
    assert (options.out / PLOT).is_file()

    teacher = options.out.with_name("out.work") / "teacher.safetensors"
    brief = replace(OPTIONS, minutes=0.5)
    further = replace(
        options, checkpoint=options.out, teacher=teacher, out=options.out.with_name("further"), distilling=brief
    )
    trained = train(further)
    assert trained.note.record is not None
    assert trained.note.record.command == (
        "valuedrift train --data DIR --out DIR --checkpoint CHECKPOINT --teacher TEACHER --minutes 0.5 --seed 1"
    )
    assert load(further.out).note.label_ids == load(options.out).note.label_ids


def test_a_run_stopped_in_the_lessons_of_its_teacher_is_resumed_there_and_ends_as_if_it_had_not_been(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.minilm.StateFile", partial(StateFile, every=5))
    short = replace(options, distilling=replace(OPTIONS, passes=1), teaching=replace(options.teaching, passes=2))
    said: list[str] = []
    whole = train(replace(short, out=options.out.with_name("whole")), killed_at(-1, said))
    steps = [int(one.split()[1]) for one in said if one.startswith("teacher")]
    assert steps[:2] == [0, 1], "a slow teacher shows nothing for minutes"
    stop = steps[-1]
    assert stop > 10

    with pytest.raises(KilledError):
        train(short, killed_at(stop, [], "teacher"))
    again: list[str] = []
    resumed = train(replace(short, resume=True), killed_at(-1, again))
    first = [int(one.split()[1]) for one in again if one.startswith("teacher")][1]
    assert 1 < first <= stop
    for got, wanted in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(got, wanted)


def test_nothing_to_resume_and_a_checkpoint_of_other_tokens_are_refused(options: TrainOptions, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="nothing to resume"):
        train(replace(options, resume=True))
    start = write_checkpoint(tmp_path / "start")
    with pytest.raises(ExportError, match="leave --teacher out"):
        train(replace(options, checkpoint=start, teacher=tmp_path / "teacher.safetensors"))
    with pytest.raises(ExportError, match="fine-tuning cannot be resumed"):
        train(replace(options, checkpoint=start, resume=True))
