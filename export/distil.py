"""Teaches a T5 what a BERT teacher knows: its states, its judgement of many mixed pairs, and the labels themselves."""

import functools
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from export.batches import Batch
from export.errors import ExportError
from export.learner import DistilOptions, Learner
from export.lesson import Lesson
from export.resume import Place, StateFile, remaining
from export.student import T5Classifier

_REPORT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where training stands; the losses are means since the last report.

    `steps` is where it will end: with the passes, or where the time that it may take is up at the pace so far.
    """

    step: int
    steps: int
    seconds: float
    loss: float
    cosine: float


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

    `report` is called after the first step and every 10 with the averaged model. `state` is written as the run goes on; with
    `resume` the run goes on from there and ends as if it had never stopped. Raises ExportError when there is no such run.
    """
    torch.manual_seed(options.seed)
    lesson.teacher.eval()
    learner.model.train()
    optimizer = torch.optim.AdamW(learner.groups(options), weight_decay=0.0, fused=True)
    place = state.read(learner, optimizer) if resume else Place()
    one_pass = functools.lru_cache(maxsize=1)(functools.partial(_one_pass, lesson, options))
    step, steps = place.step, place.steps or len(one_pass(place.number)) * options.passes
    began, seen = time.monotonic() - place.seconds, _Means()
    for number, index, batch in remaining(place, options.passes, one_pass):
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
        if step == 1 or step % _REPORT == 0:
            mean_loss, mean_cosine = seen.take()
            elapsed = time.monotonic() - began
            end = min(steps, max(step, round(step * 60 * options.minutes / elapsed))) if options.minutes else steps
            report(Step(step=step, steps=end, seconds=elapsed, loss=mean_loss, cosine=mean_cosine), learner.averaged)
        elapsed = time.monotonic() - began
        state.keep(learner, optimizer, Place(step=step, steps=steps, number=number, batch=index + 1, seconds=elapsed))
    return learner.averaged


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
    return lesson.batches(samples, rng, tokens=options.tokens_per_batch)


def sample_batches(lesson: Lesson, rng: random.Random, rows: int) -> Sequence[Batch]:
    """Returns batches of about `rows` mixed samples, for fitting weights in closed form."""
    mixer = lesson.mixer
    samples = [
        *rng.sample(mixer.labelled(rng), rows // 2),
        *mixer.refused(rng, rows // 4),
        *mixer.off_topic(rng, rows // 4),
    ]
    return lesson.batches(samples, rng, tokens=2600)
