"""Teaches a T5 what a BERT teacher knows: its states, its judgement of many mixed pairs, and the labels themselves."""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import nn

from export.batches import Batch, encode_samples, make_batches
from export.errors import ExportError
from export.learner import DistilOptions, Learner
from export.mixtures import Mixer
from export.resume import Place, StateFile
from export.student import T5Classifier
from export.teacher import Teacher
from models.pairs import Layout

_REPORT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where training stands; the losses are means since the last report."""

    step: int
    steps: int
    seconds: float
    loss: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a student learns from: the teacher, the samples' source, and how texts become tokens."""

    teacher: Teacher
    mixer: Mixer
    tokenizer: Tokenizer
    layout: Layout


def distil(
    learner: Learner,
    lesson: Lesson,
    options: DistilOptions,
    report: Callable[[Step, T5Classifier], None],
    *,
    state: StateFile,
    resume: bool = False,
) -> T5Classifier:
    """Trains `learner` in place and returns the running mean of its weights, which is steadier than the last ones.

    `report` is called every 50 steps with the averaged model. `state` is written as the run goes on; with `resume` the run
    goes on from there and ends as if it had never stopped. Raises ExportError when there is no such run to resume.
    """
    torch.manual_seed(options.seed)
    lesson.teacher.eval()
    learner.model.train()
    optimizer = torch.optim.AdamW(learner.groups(options), weight_decay=0.0, fused=True)
    place = state.read(learner, optimizer) if resume else Place()
    current = _one_pass(lesson, options, place.number)
    step, steps = place.step, place.steps or len(current) * options.passes
    began, seen = time.monotonic() - place.seconds, _Means()
    for number, index, batch in _batches(current, place, lesson, options):
        elapsed = time.monotonic() - began
        done = max(step / steps, elapsed / (60 * options.minutes) if options.minutes else 0.0)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1.0, (step + 1) / (options.warm_up * steps)) * max(0.02, 1 - done)
        loss, cosine = learner.loss(lesson.teacher, batch, options, done=done)
        if not math.isfinite(loss.item()):
            raise ExportError(f"the loss of step {step + 1} is {loss.item()}: training went astray; lower the rates")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        learner.average(min(options.averaging, (step + 2) / (step + 11)))
        seen.add(loss.item(), cosine)
        step += 1
        if step % _REPORT == 0:
            mean_loss, mean_cosine = seen.take()
            report(Step(step=step, steps=steps, seconds=elapsed, loss=mean_loss, cosine=mean_cosine), learner.averaged)
        if step % state.every == 0:
            elapsed = time.monotonic() - began
            here = Place(step=step, steps=steps, number=number, batch=index + 1, seconds=elapsed)
            state.write(learner, optimizer, here)
    return learner.averaged


def _batches(
    current: Sequence[Batch], place: Place, lesson: Lesson, options: DistilOptions
) -> Iterator[tuple[int, int, Batch]]:
    """Yields the batches after `place`, each with the number of its pass and its own in that pass."""
    for index, batch in enumerate(current[place.batch :], start=place.batch):
        yield place.number, index, batch
    for number in range(place.number + 1, options.passes):
        for index, batch in enumerate(_one_pass(lesson, options, number)):
            yield number, index, batch


class _Means:
    def __init__(self) -> None:
        self._rows: list[tuple[float, float]] = []

    def add(self, loss: float, cosine: float) -> None:
        self._rows.append((loss, cosine))

    def take(self) -> tuple[float, float]:
        rows, self._rows = self._rows, []
        return sum(a for a, _ in rows) / len(rows), sum(b for _, b in rows) / len(rows)


def _one_pass(lesson: Lesson, options: DistilOptions, number: int) -> list[Batch]:
    """Returns the batches of one pass, the same whenever it is asked for."""
    rng = random.Random(f"{options.seed} {number}")
    mixer = lesson.mixer
    samples = [
        *mixer.labelled(rng),
        *mixer.unlabelled(rng, options.unlabelled),
        *mixer.off_topic(rng, options.off_topic),
        *mixer.refused(rng, options.refused),
        *mixer.asked(rng, options.asked),
    ]
    encoded = encode_samples(samples, lesson.tokenizer, lesson.layout)
    return make_batches(encoded, rng, tokens=options.tokens_per_batch, pad=lesson.layout.pad, largest=32)


def sample_batches(lesson: Lesson, rng: random.Random, rows: int) -> Sequence[Batch]:
    """Returns batches of about `rows` mixed samples, for fitting weights in closed form."""
    mixer = lesson.mixer
    samples = [
        *rng.sample(mixer.labelled(rng), rows // 2),
        *mixer.refused(rng, rows // 4),
        *mixer.off_topic(rng, rows // 4),
    ]
    encoded = encode_samples(samples, lesson.tokenizer, lesson.layout)
    return make_batches(encoded, rng, tokens=2600, pad=lesson.layout.pad, largest=32)
