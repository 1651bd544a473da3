"""A distillation that is stopped goes on as if it had not been, and says why where it cannot."""

import random
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from export.checkpoint import load
from export.distil import Step, distil, sample_batches
from export.errors import ExportError
from export.learner import DistilOptions, Learner
from export.lesson import Lesson
from export.mixtures import Mixer
from export.resume import StateFile
from export.rows import read_folder
from export.student import T5Classifier
from export.teacher import Teacher
from export.transplant import readings_of
from tests.export.tiny import write_checkpoint, write_rows

OPTIONS = DistilOptions(passes=2, tokens_per_batch=300, unlabelled=0, off_topic=60, refused=60, asked=30)
STOP = 25


class StoppedError(Exception):
    pass


class StoppingLearner(Learner):
    """Raises after so many steps, as if the process had been killed there."""

    steps = 0

    def average(self, keep: float) -> None:
        super().average(keep)
        self.steps += 1
        if self.steps == STOP:
            raise StoppedError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resume")
    write_checkpoint(path / "start")
    write_rows(path / "data", 300)
    return path


@pytest.fixture(scope="module")
def lesson(folder: Path) -> Lesson:
    start = load(folder / "start")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=start.model.t5.config.vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=232,
    )
    return Lesson(Teacher(BertModel(config)), Mixer(read_folder(folder / "data")), start.tokenizer, start.note.layout)


def learner(folder: Path, lesson: Lesson, kind: type[Learner] = Learner) -> Learner:
    model = load(folder / "start").model
    torch.manual_seed(1)
    return kind(model, readings_of(lesson.teacher.encoder, model, sample_batches(lesson, random.Random(1), 100)))


def blank(folder: Path) -> Learner:
    return Learner(load(folder / "start").model, [torch.zeros(32, 32)] * 2)


def quiet(step: Step, averaged: T5Classifier) -> None:
    pass


def test_a_run_stopped_between_two_saved_states_and_resumed_ends_with_the_same_weights(
    folder: Path, lesson: Lesson, tmp_path: Path
) -> None:
    steps: list[int] = []
    whole = distil(
        learner(folder, lesson),
        lesson,
        OPTIONS,
        lambda step, _: steps.append(step.steps),
        state=StateFile(tmp_path / "whole.state", "run", every=1000),
    )
    assert steps, "too short a run to stop in: it never came to its first report"
    assert steps[0] / 2 > STOP  # the run is stopped in its first pass and has to draw the same second one

    state = StateFile(tmp_path / "stopped.state", "run", every=10)
    with pytest.raises(StoppedError):
        distil(learner(folder, lesson, StoppingLearner), lesson, OPTIONS, quiet, state=state)
    resumed = distil(blank(folder), lesson, OPTIONS, quiet, state=state, resume=True)
    for (name, wanted), got in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(got, wanted, msg=name)
    before = load(folder / "start").model
    assert not torch.equal(resumed.t5.encoder.final_layer_norm.weight, before.t5.encoder.final_layer_norm.weight)


def test_a_state_of_another_run_a_damaged_one_and_a_missing_one_are_refused(
    folder: Path, lesson: Lesson, tmp_path: Path
) -> None:
    state = StateFile(tmp_path / "student.state", "seed 1", every=10)
    with pytest.raises(ExportError, match="nothing to resume"):
        distil(blank(folder), lesson, OPTIONS, quiet, state=state, resume=True)
    with pytest.raises(StoppedError):
        distil(learner(folder, lesson, StoppingLearner), lesson, OPTIONS, quiet, state=state)
    other = StateFile(state.path, "seed 2")
    with pytest.raises(ExportError, match="other data, teacher or options"):
        distil(blank(folder), lesson, OPTIONS, quiet, state=other, resume=True)
    state.path.write_bytes(state.path.read_bytes()[:5000])
    with pytest.raises(ExportError, match="is damaged"):
        distil(blank(folder), lesson, OPTIONS, quiet, state=state, resume=True)


def test_a_disk_that_fills_up_while_the_state_is_written_leaves_the_earlier_state(
    folder: Path, lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateFile(tmp_path / "student.state", "run", every=10)
    with pytest.raises(StoppedError):
        distil(learner(folder, lesson, StoppingLearner), lesson, OPTIONS, quiet, state=state)
    before = state.path.read_bytes()

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        distil(blank(folder), lesson, OPTIONS, quiet, state=state, resume=True)
    assert state.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["student.state"]
