"""Fine-tunes a T5 checkpoint on labelled rows by the paper's recipe."""

import copy
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from export.batches import Encoded, encode_samples, make_batches
from export.calibrate import validate
from export.checkpoint import Checkpoint
from export.mixtures import Mixer
from export.student import T5Classifier
from export.teaching import class_weights


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """The paper's recipe: AdamW, 5e-5, 16 rows a batch, 5 epochs, linear warm-up and decay, early stopping."""

    epochs: int = 5
    rows_per_batch: int = 16
    rate: float = 5e-5
    warm_up: float = 0.06
    smoothing: float = 0.03
    mixed: int = 1500
    patience: int = 2
    seed: int = 1


class Note(Protocol):
    """Takes one point of the training curves."""

    def __call__(self, stage: str, step: int, steps: int, seconds: float, **values: float) -> None:
        """Receives named values at a step."""


def finetune(
    start: Checkpoint, mixer: Mixer, validation: Sequence[Encoded], options: FinetuneOptions, note: Note
) -> T5Classifier:
    """Returns the classifier of the epoch with the best validation accuracy; stops after `patience` epochs without one."""
    torch.manual_seed(options.seed)
    rng = random.Random(options.seed)
    model = start.model
    layout = start.note.layout
    weight = class_weights(mixer)

    def epoch_rows() -> list[Encoded]:
        half = options.mixed // 2
        samples = [*mixer.labelled(rng), *mixer.off_topic(rng, options.mixed - half), *mixer.refused(rng, half)]
        return encode_samples(samples, start.tokenizer, layout)

    per_epoch = -(-len(epoch_rows()) // options.rows_per_batch)
    steps = per_epoch * options.epochs
    optimizer = torch.optim.AdamW(model.t5.parameters(), lr=options.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min(1.0, (done + 1) / max(1.0, options.warm_up * steps)) * max(0.0, 1 - done / steps)
    )
    best, best_accuracy, since = copy.deepcopy(model), -1.0, 0
    began, step = time.monotonic(), 0
    for _ in range(options.epochs):
        model.train()
        losses: list[float] = []
        batches = make_batches(
            epoch_rows(),
            rng,
            tokens=options.rows_per_batch * layout.longest,
            pad=layout.pad,
            largest=options.rows_per_batch,
        )
        for batch in batches:
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(batch.ids, batch.mask)
            loss = nn.functional.cross_entropy(logits, batch.label, weight=weight, label_smoothing=options.smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.t5.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            losses.append(loss.item())
        measured = validate(model, validation, layout.pad)
        accuracy = measured["validation_accuracy"]
        note("fine-tune", step, steps, time.monotonic() - began, loss=float(np.mean(losses)), **measured)
        since += 1
        if accuracy > best_accuracy:
            best, best_accuracy, since = copy.deepcopy(model), accuracy, 0
        if since >= options.patience:
            break
    return best.eval()
