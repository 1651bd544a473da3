"""Trains the teacher on labelled rows, mixed pairs and prompts of known kind."""

import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from export.batches import Batch
from export.lesson import Lesson
from export.mixtures import Mixer
from export.resume import Place, StateFile, remaining
from export.teacher import Teacher, teacher_loss
from models.labels import LABELS

_OFF_TOPIC, _REFUSED, _ASKED = 1500, 4000, 3500
_HEAVIEST = 2.5
_REPORT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachingOptions:
    """How long and how hard to train the teacher. Its word embeddings stay as they were."""

    passes: int = 2
    tokens_per_batch: int = 2600
    rate: float = 1e-4
    head_rate: float = 1e-3
    warm_up: float = 0.06
    smoothing: float = 0.03
    seed: int = 1


def teach(
    lesson: Lesson,
    options: TeachingOptions,
    report: Callable[[int, int, float, float], None],
    *,
    state: StateFile,
    resume: bool = False,
) -> Teacher:
    """Trains the lesson's teacher in place and returns it; `report` gets step, steps, seconds and mean loss, first and
    every 10 steps.

    `state` is written as the run goes on; with `resume` the run goes on from there and ends as if it had never stopped.
    Raises ExportError when there is no such run to resume.
    """
    torch.manual_seed(options.seed)
    teacher = lesson.teacher
    teacher.train()
    teacher.encoder.embeddings.word_embeddings.weight.requires_grad_(False)  # noqa: FBT003 - torch's signature
    weight = class_weights(lesson.mixer)
    body = [p for n, p in teacher.named_parameters() if n.startswith("encoder") and p.requires_grad]
    heads = [p for n, p in teacher.named_parameters() if not n.startswith("encoder")]
    groups = [
        {"params": body, "lr": options.rate, "peak": options.rate},
        {"params": heads, "lr": options.head_rate, "peak": options.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    place = state.read(teacher, optimizer) if resume else Place()
    one_pass = functools.lru_cache(maxsize=1)(functools.partial(_one_pass, lesson, options))
    step, steps = place.step, place.steps or len(one_pass(place.number)) * options.passes
    began, losses = time.monotonic() - place.seconds, list[float]()
    for number, index, batch in remaining(place, options.passes, one_pass):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / (options.warm_up * steps)) * max(0.0, 1 - step / steps)
        with torch.autocast("cpu", torch.bfloat16):
            judged = teacher(batch)
        loss = teacher_loss(judged, batch, smoothing=options.smoothing, class_weight=weight)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*body, *heads], 1.0)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        seconds = time.monotonic() - began
        if step == 1 or step % _REPORT == 0:
            report(step, steps, seconds, float(np.mean(losses)))
            losses.clear()
        state.keep(teacher, optimizer, Place(step=step, steps=steps, number=number, batch=index + 1, seconds=seconds))
    return teacher.eval()


def _one_pass(lesson: Lesson, options: TeachingOptions, number: int) -> list[Batch]:
    """Returns the batches of one pass, the same whenever it is asked for."""
    rng = random.Random(f"{options.seed} {number}")
    mixer = lesson.mixer
    samples = [
        *mixer.labelled(rng),
        *mixer.off_topic(rng, _OFF_TOPIC),
        *mixer.refused(rng, _REFUSED),
        *mixer.asked(rng, _ASKED),
    ]
    return lesson.batches(samples, rng, tokens=options.tokens_per_batch)


def class_weights(mixer: Mixer) -> Tensor:
    """Returns one weight a label, in inverse proportion to the square root of its rows in a pass, 1 on average."""
    counts = np.bincount(
        [s.label for s in mixer.labelled(random.Random(0)) if s.label is not None], minlength=len(LABELS)
    )
    counts[-1] += _OFF_TOPIC
    weight = 1 / np.sqrt(np.maximum(counts, 1))
    weight *= counts.sum() / (weight * counts).sum()
    return torch.tensor(weight, dtype=torch.float32).clamp(max=_HEAVIEST)
